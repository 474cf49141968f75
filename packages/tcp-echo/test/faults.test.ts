import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram } from "@ipc/core/child";
import { signalled, until } from "@ipc/core/testing";
import { connect, startServer } from "../src/index.ts";
import { bin, bytes, dial, frame, serve, text } from "./support.ts";

const timeout = 20_000;

/** A server that is not ours: it does with its sockets what the test says. */
async function listen(t: TestContext, onConnection: (socket: Socket, number: number) => void) {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    onConnection(socket, sockets.push(socket));
  }).listen(0, "127.0.0.1");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  const address = server.address();
  return { url: `tcp://127.0.0.1:${typeof address === "object" && address?.port}`, sockets };
}

test("a request with a short time does not cut off one before it that has more", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: (message) => sleep(text(message) === "long" ? 400 : 0, message) });
  const client = await connect(url, { timeoutMs: 100 });
  t.after(() => client.close());
  const [long, short] = await Promise.allSettled([
    client.request(bytes("long"), { timeoutMs: 5_000 }),
    client.request(bytes("short")),
  ]);
  assert.equal(long.status, "fulfilled");
  assert.equal(short.status === "rejected" && short.reason.code, "ETIMEDOUT");
});

test("a silent server is given up also when every request has a shorter time than the client", {
  timeout,
}, async (t) => {
  const { url, sockets } = await listen(t, (socket, number) => (number === 1 ? socket.resume() : socket.pipe(socket)));
  const client = await connect(url, { timeoutMs: 300 });
  t.after(() => client.close());
  const isAnswered = () =>
    client.request(bytes("?"), { timeoutMs: 50 }).then(
      () => true,
      () => false,
    );
  while (!(await isAnswered()));
  assert.equal(sockets.length, 2);
});

test("a busy event loop of ours is not taken for silence of the peer's", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const client = await connect(await server.ready, { timeoutMs: 100 });
  t.after(() => client.close());
  const replies = [client.request(bytes("1")), client.request(bytes("2"))];
  // The requests are sent; then this process does something else for longer than they may take.
  await new Promise((resolve) => setImmediate(resolve));
  const from = performance.now();
  while (performance.now() - from < 200);
  assert.deepEqual((await Promise.all(replies)).map(text), ["1", "2"]);
});

test("a server that ends its side and reads nothing leaves no socket and no memory behind", { timeout }, async (t) => {
  const { url, sockets } = await listen(t, (socket) => socket.end());
  const client = await connect(url);
  await Promise.allSettled(Array.from({ length: 16 }, () => client.request(new Uint8Array(1_000_000))));
  await client.close();
  // Our side is gone: what the peer writes now is answered by RST, or it has ended already.
  await until(() => sockets.every((socket) => socket.destroyed || socket.resume().readableEnded));
});

test("a client that half-closes and never reads is cut off by idleTimeoutMs", { timeout }, async (t) => {
  const { url, told } = await serve(t, { idleTimeoutMs: 200 });
  const socket = await dial(t, url);
  socket.pause();
  for (let count = 0; count < 8; count++) socket.write(frame(new Uint8Array(1_000_000)));
  socket.end();
  assert.match((await told("dropped")).error.message, /nothing moved for 200 ms/);
});

test("close() in the middle of a reconnection leaves no connection behind", { timeout }, async (t) => {
  const { url, sockets } = await listen(t, (socket, number) => (number === 1 ? socket.destroy() : socket.pipe(socket)));
  let closed: Promise<void> | undefined;
  let connections = 0;
  const client = await connect(url, {
    onEvent({ type }) {
      if (type === "connected" && ++connections === 2) closed = client.close();
    },
  });
  const requests = () => client.request(bytes("?"), { timeoutMs: 1_000 });
  while (!closed) await requests().catch(() => {});
  await closed;
  await assert.rejects(requests(), { code: "EPIPE" });
  await until(() => sockets.every((socket) => socket.destroyed));
});

test("requests that wait for a connection are bounded too", { timeout }, async (t) => {
  const { server, url } = await serve(t);
  const disconnected = signalled();
  const client = await connect(url, {
    maxInFlightBytes: 6_400,
    onEvent({ type }) {
      if (type === "disconnected") disconnected.resolve();
    },
  });
  await server.close();
  await disconnected.promise;
  const results = await Promise.allSettled(
    Array.from({ length: 1_000 }, () => client.request(new Uint8Array(0), { timeoutMs: 100 })),
  );
  const counted = results.map((result) => (result.status === "rejected" ? result.reason.code : "fulfilled"));
  assert.equal(counted.filter((code) => code === "ENOTCONN").length, 100);
  assert.equal(counted.filter((code) => code === "ENOBUFS").length, 900);
  await client.close();
});

test("connect() that rejects leaves no socket open", { timeout }, async (t) => {
  const { url, events } = await serve(t);
  await assert.rejects(connect(url, { maxFrameBytes: 0 }), RangeError);
  assert.deepEqual(events, []);
});

test("a listener of events that throws is warned of, and breaks nothing", { timeout }, async (t) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error) => warnings.push(warning.message);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const onEvent = () => {
    throw new Error("Cannot write to the log");
  };
  const server = await startServer({ onEvent });
  t.after(() => server.close());
  const client = await connect(server.url, { onEvent });
  assert.equal(text(await client.request(bytes("all the same"))), "all the same");
  await client.close();
  await until(() => warnings.includes("Cannot write to the log"));
});

test("many requests may share one signal", { timeout }, async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const { url } = await serve(t, { handler: () => new Promise(() => {}), graceMs: 0 });
  const client = await connect(url, { graceMs: 0 });
  t.after(() => client.close());
  const controller = new AbortController();
  const requests = Array.from({ length: 50 }, () => client.request(bytes("?"), { signal: controller.signal }));
  controller.abort(new Error("enough"));
  const results = await Promise.allSettled(requests);
  assert.ok(results.every((result) => result.status === "rejected" && result.reason.message === "enough"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(warnings, []);
});

test("a handler knows its peer by the socket", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: (_message, socket) => bytes(`${socket.remoteAddress}`) });
  const client = await connect(url);
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("who am I?"))), "127.0.0.1");
});

test("startServer() refuses an empty host, which would open it to the network", { timeout }, async () => {
  await assert.rejects(startServer({ host: "" }), TypeError);
});
