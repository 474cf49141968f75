import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, stat, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram } from "@ipc/core/child";
import { toSocketPath } from "@ipc/core/socket-path";
import { signalled, until } from "@ipc/core/testing";
import { parsePath } from "@ipc/core/url";
import { type ClientEvent, connect, startServer } from "../src/index.ts";
import { bin, bytes, dial, frame, freeUrl, makeFolder, receive, serve, text } from "./support.ts";

const timeout = 20_000;

/** A server that is not ours: it does with its sockets what the test says. */
async function listen(t: TestContext, onConnection: (socket: Socket, number: number) => void) {
  const url = await freeUrl(t);
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    onConnection(socket, sockets.push(socket));
  }).listen(toSocketPath(parsePath(url, "unix")));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  return { url, sockets };
}

test("a reply is the message, whatever its length", { timeout }, async (t) => {
  const { url } = await serve(t);
  const client = await connect(url);
  t.after(() => client.close());
  for (const length of [0, 1, 1_024, 65_536, 1_048_576]) {
    const message = new Uint8Array(length).map((_, index) => index * 31);
    assert.deepEqual(Buffer.from(await client.request(message)), Buffer.from(message), `${length} bytes`);
  }
});

test("many requests at once get their own replies, in order", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: async (message) => bytes(`${text(message)}!`) });
  const client = await connect(url);
  t.after(() => client.close());
  const order: number[] = [];
  const replies = Array.from({ length: 5_000 }, async (_, index) => {
    const reply = text(await client.request(bytes(`${index}`)));
    order.push(index);
    return reply;
  });
  assert.deepEqual(
    await Promise.all(replies),
    Array.from({ length: 5_000 }, (_, index) => `${index}!`),
  );
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
});

test("the socket is a file of mode 0600 that is gone after close()", { timeout }, async (t) => {
  if (process.platform === "win32") return t.skip("a named pipe is no file");
  const { server, url } = await serve(t);
  const path = parsePath(url, "unix");
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await server.close();
  await server.close();
  assert.deepEqual(await readdir(dirname(path)), []);
});

test("eight servers that start at once on a dead one's file: one wins", { timeout }, async (t) => {
  if (process.platform === "win32") return t.skip("a named pipe is no file");
  const url = await freeUrl(t);
  const killed = startProgram(bin("server"), [url]);
  t.after(() => killed.stop("SIGKILL"));
  await killed.ready;
  await killed.stop("SIGKILL");
  const starts = await Promise.allSettled(Array.from({ length: 8 }, () => startServer({ url })));
  const codes = starts.flatMap((start) => (start.status === "rejected" ? [start.reason.code] : []));
  assert.deepEqual(codes, Array(7).fill("EADDRINUSE"));
  const client = await connect(url);
  assert.equal(text(await client.request(bytes("who?"))), "who?");
  await client.close();
  for (const start of starts) if (start.status === "fulfilled") await start.value.close();
});

test("startServer() and connect() refuse what makes no sense", { timeout }, async (t) => {
  const folder = await makeFolder(t);
  const url = `unix:${folder}/a`;
  await assert.rejects(startServer({ url: "tcp://127.0.0.1:1" }), { code: "ERR_INVALID_URL" });
  await assert.rejects(startServer({ url, maxFrameBytes: 0 }), RangeError);
  await assert.rejects(startServer({ url, idleTimeoutMs: -1 }), RangeError);
  await assert.rejects(startServer({ url, maxConnections: 0 }), RangeError);
  await assert.rejects(connect("nonsense"), { code: "ERR_INVALID_URL" });
  await assert.rejects(connect(url, { timeoutMs: Number.NaN }), RangeError);
  await assert.rejects(connect(url, { waitMs: 0 }), { code: "ENOENT" });
  await writeFile(`${folder}/file`, "precious");
  await assert.rejects(startServer({ url: `unix:${folder}/file` }), { code: "ENOTSOCK" });
  await assert.rejects(connect(`unix:${folder}/file`), { code: "ENOTSOCK" });
  assert.deepEqual(await readdir(folder), ["file"]);
});

test("a handler that throws drops its connection, tells why, and nothing else", { timeout }, async (t) => {
  const { url, told } = await serve(t, {
    handler(message) {
      if (text(message) === "bad") throw new Error("Cannot do bad");
      return message;
    },
  });
  const [bad, good] = await Promise.all([connect(url), connect(url)]);
  t.after(() => Promise.all([bad.close(), good.close()]));
  await assert.rejects(bad.request(bytes("bad")), { code: "ECONNRESET" });
  assert.equal((await told("dropped")).error.message, "Cannot do bad");
  assert.equal(text(await good.request(bytes("good"))), "good");
});

test("a request that gets no reply in time rejects with ETIMEDOUT, those behind it with ECONNRESET", {
  timeout,
}, async (t) => {
  const { url, sockets } = await listen(t, (socket) => socket.resume());
  const client = await connect(url, { timeoutMs: 200 });
  t.after(() => client.close());
  const first = assert.rejects(client.request(bytes("first")), { code: "ETIMEDOUT" });
  await sleep(100);
  await Promise.all([first, assert.rejects(client.request(bytes("second")), { code: "ECONNRESET" })]);
  await until(() => sockets.every(({ destroyed, readableEnded }) => destroyed || readableEnded));
});

test("a server that is slow but answers is not given up: late replies go to nobody", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: (message) => sleep(150, message) });
  const events: ClientEvent[] = [];
  const client = await connect(url, { timeoutMs: 400, onEvent: (event) => events.push(event) });
  t.after(() => client.close());
  const results = await Promise.allSettled(["1", "2", "3", "4", "5"].map((one) => client.request(bytes(one))));
  const statuses = results.map((result) => (result.status === "fulfilled" ? text(result.value) : result.reason.code));
  assert.deepEqual(statuses.slice(0, 2), ["1", "2"]);
  assert.deepEqual(statuses.slice(3), ["ETIMEDOUT", "ETIMEDOUT"]);
  assert.equal(text(await client.request(bytes("next")).catch(() => client.request(bytes("next")))), "next");
  assert.deepEqual(
    events.map(({ type }) => type),
    ["connected"],
  );
});

test("a busy event loop of ours is not taken for silence of the peer's", { timeout }, async (t) => {
  const server = startProgram(bin("server"), [await freeUrl(t)]);
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

test("without a server a request waits for its time, then rejects with ENOTCONN", { timeout }, async (t) => {
  const { server, url } = await serve(t);
  const gone = signalled();
  const onEvent = ({ type }: ClientEvent) => type === "disconnected" && gone.resolve();
  const client = await connect(url, { timeoutMs: 200, maxInFlightBytes: 1_000, onEvent });
  await server.close();
  await gone.promise;
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => client.request(new Uint8Array(36))));
  const codes = results.map((result) => (result.status === "rejected" ? result.reason.code : "fulfilled"));
  assert.equal(codes.filter((code) => code === "ENOTCONN").length, 10);
  assert.equal(codes.filter((code) => code === "ENOBUFS").length, 10, "what waits is bounded");
  await client.close();
});

test("who hears that nobody is there may ask again at once", { timeout }, async (t) => {
  const { server, url } = await serve(t);
  const gone = signalled();
  const onEvent = ({ type }: ClientEvent) => type === "disconnected" && gone.resolve();
  const client = await connect(url, { waitMs: 0, onEvent });
  t.after(() => client.close());
  await server.close();
  await gone.promise;
  for (let tries = 0; tries < 5; tries++) await assert.rejects(client.request(bytes("?")), { code: "ENOENT" });
  const again = await startServer({ url });
  t.after(() => again.close());
  assert.equal(text(await client.request(bytes("back"))), "back");
});

test("a reply that is too large rejects its own request, those behind it with ECONNRESET", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: () => new Uint8Array(2_000) });
  const client = await connect(url, { maxFrameBytes: 1_000 });
  t.after(() => client.close());
  const results = await Promise.allSettled([client.request(bytes("1")), client.request(bytes("2"))]);
  assert.deepEqual(
    results.map((result) => result.status === "rejected" && result.reason.code),
    ["ERR_FRAME_TOO_LARGE", "ECONNRESET"],
  );
});

test("a reply that nobody asked for ends the connection; the next request connects again", { timeout }, async (t) => {
  const { url } = await listen(t, (socket, number) => (number === 1 ? socket.end(frame("?")) : socket.pipe(socket)));
  const gone = signalled();
  const errors: string[] = [];
  const client = await connect(url, {
    onEvent(event) {
      if (event.type !== "disconnected") return;
      errors.push(event.error.message);
      gone.resolve();
    },
  });
  t.after(() => client.close());
  await gone.promise;
  assert.deepEqual(errors, ["a reply came that nobody asked for"]);
  assert.equal(text(await client.request(bytes("again"))), "again");
});

test("close() waits for the replies it is owed, and refuses more", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: (message) => sleep(100, message) });
  const client = await connect(url);
  const owed = [client.request(bytes("1")), client.request(bytes("2"))];
  const closing = client.close();
  await assert.rejects(client.request(bytes("3")), { code: "EPIPE" });
  assert.deepEqual((await Promise.all(owed)).map(text), ["1", "2"]);
  await Promise.all([closing, client.close()]);
});

test("close() cuts off what is not answered after graceMs", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: () => new Promise(() => {}), graceMs: 0 });
  const client = await connect(url, { graceMs: 100 });
  const lost = assert.rejects(client.request(bytes("?")), { code: "ECONNRESET" });
  await client.close();
  await lost;
});

test("a client that half-closes and never reads is cut off by idleTimeoutMs", { timeout }, async (t) => {
  const { url, told } = await serve(t, { idleTimeoutMs: 200 });
  const socket = await dial(t, url);
  socket.pause();
  for (let count = 0; count < 8; count++) socket.write(frame(new Uint8Array(1_000_000)));
  socket.end();
  assert.match((await told("dropped")).error.message, /nothing moved for 200 ms/);
});

test("connections above maxConnections are closed as they come", { timeout }, async (t) => {
  const { url, told } = await serve(t, { maxConnections: 1 });
  const client = await connect(url);
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("first"))), "first");
  assert.equal((await receive(await dial(t, url))).length, 0);
  assert.deepEqual(await told("refused"), { type: "refused", peer: "client 2", maxConnections: 1 });
  assert.equal(text(await client.request(bytes("goes on"))), "goes on");
});

test("connect() ends waiting when its signal aborts", { timeout }, async (t) => {
  const url = await freeUrl(t);
  const controller = new AbortController();
  const reason = new Error("enough");
  const onEvent = () => controller.abort(reason);
  await assert.rejects(connect(url, { signal: controller.signal, onEvent }), (error) => error === reason);
});
