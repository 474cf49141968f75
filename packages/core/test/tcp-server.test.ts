import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { lineFraming } from "../src/framing.ts";
import { readFrames } from "../src/read-frames.ts";
import { connectTcp } from "../src/sockets.ts";
import { describeTcpEvent, startTcpServer, type TcpServerEvent, type TcpServerOptions } from "../src/tcp-server.ts";
import { parseAddress } from "../src/url.ts";
import { createFrameWriter } from "../src/write-frames.ts";
import { gate, received, until } from "./support.ts";

const timeout = 20_000;

/** Sends lines back until the peer or the server ends. */
async function echo(socket: Socket, signal: AbortSignal): Promise<void> {
  const writer = createFrameWriter(socket, lineFraming);
  for await (const lines of readFrames(socket, lineFraming.createDecoder(), { signal })) {
    for (const line of lines) writer.write(line);
  }
}

/** A server that is closed after the test, and what it told. */
async function start(t: TestContext, serve = echo, options: TcpServerOptions = {}) {
  const events: TcpServerEvent[] = [];
  const server = await startTcpServer({ ...options, onEvent: (event) => events.push(event) }, serve);
  t.after(() => server.close());
  const types = () => events.map(({ type }) => type);
  return { server, events, types };
}

async function open(t: TestContext, url: string): Promise<Socket> {
  const socket = await connectTcp(url);
  t.after(() => socket.destroy());
  return socket;
}

async function exchange(socket: Socket): Promise<void> {
  socket.write("ping\n");
  assert.equal(String((await once(socket, "data"))[0]), "ping\n");
}

test("startTcpServer() listens on 127.0.0.1 and a free port unless told otherwise, and says where", {
  timeout,
}, async (t) => {
  const { server } = await start(t);
  const { host, port } = parseAddress(server.url, "tcp");
  assert.equal(host, "127.0.0.1");
  assert.ok(port > 0);
  await exchange(await open(t, server.url));
});

test("startTcpServer() rejects when the port is taken", { timeout }, async (t) => {
  const { server } = await start(t);
  const { port } = parseAddress(server.url, "tcp");
  await assert.rejects(startTcpServer({ port }, echo), {
    name: "Error",
    code: "EADDRINUSE",
    message: `Cannot listen on ${server.url}: the port is taken`,
  });
});

test("startTcpServer() rejects when the host is no address of this machine", { timeout }, async () => {
  // TEST-NET-1 (RFC 5737): nobody has it.
  await assert.rejects(startTcpServer({ host: "192.0.2.1", port: 1_234 }, echo), {
    code: "EADDRNOTAVAIL",
    message: "Cannot listen on tcp://192.0.2.1:1234: it is no address of this machine",
  });
});

test("startTcpServer() rejects when the port is none", { timeout }, async () => {
  await assert.rejects(startTcpServer({ port: 65_536 }, echo), RangeError);
});

test("startTcpServer() tells of each connection and its end", { timeout }, async (t) => {
  const { server, events } = await start(t);
  const socket = await open(t, server.url);
  const peer = `${socket.localAddress}:${socket.localPort}`;
  socket.end();
  await once(socket.resume(), "close");
  await until(() => events.length === 2);
  assert.deepEqual(events, [
    { type: "connected", peer },
    { type: "closed", peer },
  ]);
});

test("startTcpServer() closes connections above maxConnections as they come, and tells", { timeout }, async (t) => {
  const { server, events, types } = await start(t, echo, { maxConnections: 2 });
  const first = await open(t, server.url);
  const second = await open(t, server.url);
  await Promise.all([exchange(first), exchange(second)]);
  const third = await open(t, server.url);
  await once(third.resume(), "close");
  const refused = events.find(({ type }) => type === "refused");
  assert.ok(refused?.type === "refused");
  assert.equal(refused.maxConnections, 2);
  assert.match(refused.peer, /^127\.0\.0\.1:\d+$/);

  // Those within the limit go on, and a place that becomes free is given again.
  await Promise.all([exchange(first), exchange(second)]);
  second.end();
  await until(() => types().includes("closed"));
  await exchange(await open(t, server.url));
});

test("a serve that throws drops its connection only, and is told by an event", { timeout }, async (t) => {
  const reason = new Error("cannot serve this");
  const { server, events } = await start(t, async (socket, signal) => {
    const [first] = await once(socket, "data");
    if (String(first) === "bad\n") throw reason;
    socket.write(first);
    await echo(socket, signal);
  });
  const good = await open(t, server.url);
  await exchange(good);
  const bad = await open(t, server.url);
  const peer = `${bad.localAddress}:${bad.localPort}`;
  bad.write("bad\n");
  await once(bad.resume(), "end");
  assert.deepEqual(
    events.filter(({ type }) => type === "dropped"),
    [{ type: "dropped", peer, error: reason }],
  );
  await exchange(good);
  await exchange(await open(t, server.url));
});

test("what was written before serve throws still reaches the peer", { timeout }, async (t) => {
  const { server } = await start(t, (socket) => {
    createFrameWriter(socket, lineFraming).write(new TextEncoder().encode("last words"));
    return Promise.reject(new Error("enough"));
  });
  assert.equal(await received(await open(t, server.url)), "last words\n");
});

test("a peer that resets its connection drops that connection only", { timeout }, async (t) => {
  const { server, events, types } = await start(t);
  const socket = await open(t, server.url);
  await exchange(socket);
  socket.resetAndDestroy();
  await until(() => types().includes("dropped"));
  const dropped = events.find(({ type }) => type === "dropped");
  assert.ok(dropped?.type === "dropped" && "code" in dropped.error);
  assert.equal(dropped.error.code, "ECONNRESET");
  await exchange(await open(t, server.url));
});

test("a half-open client, which has sent its last message, still gets its answers", { timeout }, async (t) => {
  const { server } = await start(t, async (socket) => {
    const request = await received(socket);
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(`${request} and back`);
  });
  const socket = await open(t, server.url);
  socket.end("there");
  assert.equal(await received(socket), "there and back");
});

test("a slow handler's last answer reaches a client that has ended meanwhile", { timeout }, async (t) => {
  const { server } = await start(t, async (socket, signal) => {
    const writer = createFrameWriter(socket, lineFraming);
    const isEnded = once(socket, "end");
    for await (const lines of readFrames(socket, lineFraming.createDecoder(), { signal })) {
      await isEnded;
      for (const line of lines) writer.write(line);
    }
  });
  const socket = await open(t, server.url);
  socket.end("one\ntwo\n");
  assert.equal(await received(socket), "one\ntwo\n");
});

test("close() takes no more connections", { timeout }, async (t) => {
  const { server } = await start(t);
  await server.close();
  await assert.rejects(connectTcp(server.url, { waitMs: 0 }), { code: "ECONNREFUSED" });
});

test("close() may be called again, and [Symbol.asyncDispose] is the same", { timeout }, async (t) => {
  const { server } = await start(t);
  const socket = await open(t, server.url);
  await exchange(socket);
  await Promise.all([server.close(), server.close(), server[Symbol.asyncDispose](), once(socket.resume(), "end")]);
  await server.close();
});

test("close() ends idle connections at once, without a reset", { timeout }, async (t) => {
  const { server, types } = await start(t, echo, { graceMs: 10_000 });
  const sockets = await Promise.all(Array.from({ length: 20 }, () => open(t, server.url)));
  await Promise.all(sockets.map(exchange));
  const start_ = performance.now();
  const endings = sockets.map((socket) => once(socket.resume(), "close"));
  await server.close();
  await Promise.all(endings);
  assert.ok(performance.now() - start_ < 3_000);
  assert.ok(sockets.every(({ errored }) => errored === null));
  await until(() => types().filter((type) => type === "closed").length === 20);
});

test("close() waits for what is in flight: the answer comes", { timeout }, async (t) => {
  const { opened, open: finish } = gate();
  let isBusy = false;
  const { server } = await start(t, async (socket, signal) => {
    const writer = createFrameWriter(socket, lineFraming);
    for await (const lines of readFrames(socket, lineFraming.createDecoder(), { signal })) {
      isBusy = true;
      await opened;
      for (const line of lines) writer.write(line);
    }
  });
  const socket = await open(t, server.url);
  socket.write("one\ntwo\n");
  await until(() => isBusy);
  let isClosed = false;
  const closing = server.close().then(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(isClosed, false);
  finish();
  assert.equal(await received(socket), "one\ntwo\n");
  await closing;
});

test("close() cuts off what is not finished after graceMs", { timeout }, async (t) => {
  const { server } = await start(t, () => new Promise(() => {}), { graceMs: 200 });
  const socket = await open(t, server.url);
  const start_ = performance.now();
  await Promise.all([server.close(), once(socket.resume(), "close")]);
  const elapsedMs = performance.now() - start_;
  assert.ok(elapsedMs >= 195 && elapsedMs < 2_000, `after ${elapsedMs} ms`);
});

test("describeTcpEvent() makes one line of each event", { timeout }, () => {
  const peer = "127.0.0.1:54321";
  const lines: [TcpServerEvent, string][] = [
    [{ type: "connected", peer }, `${peer} connected`],
    [{ type: "closed", peer }, `${peer} closed`],
    [{ type: "dropped", peer, error: new Error("why") }, `${peer} dropped: why`],
    [{ type: "refused", peer, maxConnections: 2 }, `${peer} refused: 2 connections are open, which is the limit`],
    [{ type: "failed", error: new Error("why") }, "Cannot accept connection: why"],
  ];
  for (const [event, line] of lines) assert.equal(describeTcpEvent(event), line);
});
