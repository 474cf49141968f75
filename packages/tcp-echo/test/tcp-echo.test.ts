import assert from "node:assert/strict";
import { createServer } from "node:net";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { signalled } from "@ipc/core/testing";
import { connect, startServer } from "../src/index.ts";
import { bytes, dial, frame, freeUrl, receive, serve, text } from "./support.ts";

const timeout = 20_000;

test("a reply is the message, whatever its length", { timeout }, async (t) => {
  const { url } = await serve(t);
  const client = await connect(url);
  t.after(() => client.close());
  for (const length of [0, 1, 1_024, 1_025, 65_536, 1_048_576]) {
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

test("framing lines: a line for a line, a newline in a message is refused before it is sent", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { framing: "lines" });
  const client = await connect(url, { framing: "lines" });
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("a line"))), "a line");
  await assert.rejects(client.request(bytes("two\nlines")), { code: "ERR_FRAME_DELIMITER" });
  assert.equal(text(await client.request(bytes(""))), "");

  const byHand = await dial(t, url);
  byHand.end("typed\r\nby hand\n");
  assert.equal(text(await receive(byHand)), "typed\r\nby hand\n");
});

test("framing raw: bytes come back as they came, borders do not", { timeout }, async (t) => {
  let calls = 0;
  const { url } = await serve(t, {
    framing: "raw",
    handler(message) {
      calls++;
      return message;
    },
  });
  const socket = await dial(t, url);
  socket.write("one");
  assert.equal(text(await receive(socket, 3)), "one");
  socket.write("two");
  socket.write("three");
  assert.equal(text(await receive(socket, 8)), "twothree");
  socket.end();
  await receive(socket);
  assert.ok(calls <= 3, "what was written apart may be glued");
});

test("a handler that throws drops its connection, tells why, and nothing else", { timeout }, async (t) => {
  const { url, told } = await serve(t, {
    handler(message) {
      if (text(message) === "bad") throw new Error("Cannot do bad");
      return message;
    },
  });
  const [one, other] = await Promise.all([connect(url), connect(url)]);
  t.after(() => Promise.all([one.close(), other.close()]));
  const [before, bad] = await Promise.allSettled([one.request(bytes("good")), one.request(bytes("bad"))]);
  assert.equal(before.status, "fulfilled", "the reply before it still comes");
  assert.equal(bad.status === "rejected" && bad.reason.code, "ECONNRESET");
  assert.equal((await told("dropped")).error.message, "Cannot do bad");
  assert.equal(text(await other.request(bytes("good"))), "good");
  assert.equal(text(await one.request(bytes("good again"))), "good again");
});

test("a reply above the limit of the server drops the connection; above the client's, the request says so", {
  timeout,
}, async (t) => {
  const { url, told } = await serve(t, { maxFrameBytes: 16, handler: () => new Uint8Array(17) });
  const client = await connect(url);
  t.after(() => client.close());
  await assert.rejects(client.request(bytes("?")), { code: "ECONNRESET" });
  assert.match((await told("dropped")).error.message, /Cannot send frame of 17 bytes: limit is 16/);

  const roomy = await serve(t, { handler: () => new Uint8Array(17) });
  const strict = await connect(roomy.url, { maxFrameBytes: 16 });
  t.after(() => strict.close());
  await assert.rejects(strict.request(bytes("?")), {
    code: "ERR_FRAME_TOO_LARGE",
    frameBytes: 17,
    maxFrameBytes: 16,
  });
});

test("request() gives up after timeoutMs, and a late reply is not taken for the next one's", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, {
    handler: (message) => (text(message) === "late" ? sleep(100, message) : message),
  });
  const client = await connect(url);
  t.after(() => client.close());
  await assert.rejects(client.request(bytes("late"), { timeoutMs: 20 }), {
    code: "ETIMEDOUT",
    message: `Cannot get reply from ${url}: none came in time`,
  });
  assert.equal(text(await client.request(bytes("next"))), "next");
});

test("request() can be aborted before and while it waits, and leaves no listener on the signal", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, {
    handler: (message) => (text(message) === "late" ? sleep(50, message) : message),
  });
  const client = await connect(url);
  t.after(() => client.close());
  const reason = new Error("not interested any more");
  const controller = new AbortController();
  const listeners = countListeners(controller.signal);
  const late = client.request(bytes("late"), { signal: controller.signal });
  assert.equal(listeners.count, 1);
  controller.abort(reason);
  await assert.rejects(late, reason);
  await assert.rejects(client.request(bytes("?"), { signal: controller.signal }), reason);
  assert.equal(text(await client.request(bytes("next"))), "next");

  const patient = new AbortController();
  const kept = countListeners(patient.signal);
  assert.equal(text(await client.request(bytes("kept"), { signal: patient.signal })), "kept");
  assert.equal(kept.count, 0);
});

test("a server that says nothing any more is given up, and the next request goes to a new connection", {
  timeout,
}, async (t) => {
  let connections = 0;
  const deaf = createServer((socket) => {
    connections++;
    if (connections > 1) socket.pipe(socket);
    else socket.resume();
  }).listen(0, "127.0.0.1");
  t.after(() => deaf.close());
  await new Promise((resolve) => deaf.once("listening", resolve));
  const address = deaf.address();
  const client = await connect(`tcp://127.0.0.1:${typeof address === "object" && address?.port}`, {
    timeoutMs: 100,
  });
  t.after(() => client.close());
  const [first, second] = await Promise.allSettled([
    client.request(bytes("1")),
    client.request(bytes("2"), { timeoutMs: 1_000 }),
  ]);
  assert.equal(first.status === "rejected" && first.reason.code, "ETIMEDOUT");
  assert.equal(second.status === "rejected" && second.reason.code, "ECONNRESET");
  assert.match(String(second.status === "rejected" && second.reason.message), /the server said nothing for 1\d\d ms/);
  assert.equal(text(await client.request(bytes("3"))), "3");
});

test("connect() rejects at once with waitMs 0, after waitMs otherwise, and for an address that is none", {
  timeout,
}, async () => {
  const url = await freeUrl();
  await assert.rejects(connect(url, { waitMs: 0 }), {
    code: "ECONNREFUSED",
    message: `Cannot connect to ${url}: nobody listens there`,
  });
  await assert.rejects(connect(url, { waitMs: 100 }), { code: "ECONNREFUSED" });
  await assert.rejects(connect("127.0.0.1:65432"), { code: "ERR_INVALID_URL", name: "TypeError" });
  const controller = new AbortController();
  const reason = new Error("changed my mind");
  const waiting = connect(url, { signal: controller.signal, onEvent: () => controller.abort(reason) });
  await assert.rejects(waiting, reason);
});

test("a request while nobody is there rejects when its time is over, and works when somebody comes", {
  timeout,
}, async (t) => {
  const { server, url } = await serve(t);
  const { promise: disconnected, resolve: onDisconnected } = signalled();
  const client = await connect(url, {
    onEvent: ({ type }) => {
      if (type === "disconnected") onDisconnected();
    },
  });
  t.after(() => client.close());
  await server.close();
  await disconnected;
  await assert.rejects(client.request(bytes("nobody"), { timeoutMs: 50 }), { code: "ENOTCONN" });
  const pending = client.request(bytes("somebody"));
  const again = await startServer({ port: Number(new URL(url).port) });
  t.after(() => again.close());
  assert.equal(text(await pending), "somebody");
});

test("what is no Uint8Array is refused on both sides, and is never sent as something else", { timeout }, async (t) => {
  const { url, told } = await serve(t, { handler: (message) => JSON.parse(text(message)) });
  const client = await connect(url);
  t.after(() => client.close());
  // As a program that is not type-checked would call it.
  const request = (message: unknown) => client.request(message as Uint8Array);
  for (const wrong of ["text", { a: 1 }, undefined]) await assert.rejects(request(wrong), TypeError);
  await assert.rejects(client.request(bytes('"a string"')), { code: "ECONNRESET" });
  assert.match((await told("dropped")).error.message, /it must be a Uint8Array, current value is of type string/);
});

test("an HTTP server behind the address is told from a message that is too large", { timeout }, async (t) => {
  const http = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(0, "127.0.0.1");
  t.after(() => http.close());
  await new Promise((resolve) => http.once("listening", resolve));
  const address = http.address();
  const client = await connect(`tcp://127.0.0.1:${typeof address === "object" && address?.port}`);
  t.after(() => client.close());
  await assert.rejects(client.request(bytes("hello")), {
    code: "ERR_FRAME_TOO_LARGE",
    message: 'Cannot read frame of 1213486160 bytes ("HTTP" read as a length): limit is 1048576',
  });
});

test("what is on its way is bounded: request() rejects above maxInFlightBytes and goes on below it", {
  timeout,
}, async (t) => {
  const { promise: gate, resolve: release } = signalled();
  const { url } = await serve(t, {
    async handler(message) {
      await gate;
      return message;
    },
  });
  const client = await connect(url, { maxInFlightBytes: 1_000 });
  t.after(() => client.close());
  const first = client.request(new Uint8Array(500));
  await assert.rejects(client.request(new Uint8Array(500)), { code: "ENOBUFS", inFlightBytes: 564 });
  release();
  await first;
  assert.equal((await client.request(new Uint8Array(500))).length, 500);
});

test("close() of the client lets replies that are owed come, then refuses requests", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { handler: (message) => sleep(50, message) });
  const client = await connect(url);
  const owed = client.request(bytes("owed"));
  await Promise.all([client.close(), client.close()]);
  assert.equal(text(await owed), "owed");
  await assert.rejects(client.request(bytes("too late")), { code: "EPIPE" });
});

test("close() of the client cuts off after graceMs", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: () => new Promise(() => {}), graceMs: 50 });
  const client = await connect(url, { graceMs: 50 });
  const hopeless = assert.rejects(client.request(bytes("?")), { code: "ECONNRESET" });
  await client.close();
  await hopeless;
});

test("close() of the server answers what it has begun, cuts off after graceMs, and may be called twice", {
  timeout,
}, async (t) => {
  const { promise: hasBegun, resolve: onBegun } = signalled();
  const { server, url } = await serve(t, {
    handler(message) {
      onBegun();
      return sleep(50, message);
    },
  });
  const socket = await dial(t, url);
  socket.write(frame("half of it").subarray(0, 8));
  const client = await connect(url);
  t.after(() => client.close());
  const begun = client.request(bytes("begun"));
  await hasBegun;
  await Promise.all([server.close(), server.close()]);
  assert.equal(text(await begun), "begun");
  await assert.rejects(connect(url, { waitMs: 0 }), { code: "ECONNREFUSED" });

  const stuck = await startServer({ handler: () => new Promise(() => {}), graceMs: 50 });
  const waiting = await connect(stuck.url);
  t.after(() => waiting.close());
  const cut = assert.rejects(waiting.request(bytes("?")), { code: "ECONNRESET" });
  await stuck.close();
  await cut;
});

test("a request that is made as soon as another has failed for want of a server tries again", {
  timeout,
}, async (t) => {
  const server = await startServer();
  const client = await connect(server.url, { waitMs: 20 });
  t.after(() => client.close());
  await server.close();
  const again = client.request(bytes("?")).catch(() => client.request(bytes("?")));
  await assert.rejects(again, { code: "ECONNREFUSED" });
});

test("a client that sends its last message and half-closes still gets the answer", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: (message) => sleep(20, message) });
  const socket = await dial(t, url);
  socket.end(frame("last words"));
  assert.deepEqual(await receive(socket), Buffer.from(frame("last words")));
});

test("an IPv6 address has brackets in the URL and in the log", { timeout }, async (t) => {
  const server = await serve(t, { host: "::1" }).catch((error: Error & { code?: string }) => error);
  if (server instanceof Error) return t.skip(`this machine has no IPv6: ${server.message}`);
  assert.match(server.url, /^tcp:\/\/\[::1\]:\d+$/);
  const client = await connect(server.url);
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("six"))), "six");
  assert.match((await server.told("connected")).peer, /^\[::1\]:\d+$/);
});

test("maxConnections refuses one more, and takes it when one has gone", { timeout }, async (t) => {
  const { url, told } = await serve(t, { maxConnections: 1 });
  const first = await connect(url);
  assert.equal(text(await first.request(bytes("1"))), "1");
  const second = await dial(t, url);
  await receive(second);
  assert.equal((await told("refused")).maxConnections, 1);
  await first.close();
  await told("closed");
  const third = await connect(url);
  t.after(() => third.close());
  assert.equal(text(await third.request(bytes("3"))), "3");
});

test("startServer() rejects when the port is taken, and limits that make no sense", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  await assert.rejects(startServer({ port: Number(new URL(url).port) }), { code: "EADDRINUSE" });
  await assert.rejects(startServer({ maxFrameBytes: 0 }), RangeError);
  await assert.rejects(startServer({ maxFrameBytes: Number.POSITIVE_INFINITY }), RangeError);
  await assert.rejects(startServer({ port: 65_536 }), RangeError);
  await assert.rejects(startServer({ maxConnections: 0 }), RangeError);
  for (const ms of [Number.NaN, -1, 1.5, 3e9, Number.POSITIVE_INFINITY]) {
    await assert.rejects(startServer({ idleTimeoutMs: ms }), RangeError);
    await assert.rejects(startServer({ frameTimeoutMs: ms }), RangeError);
    await assert.rejects(startServer({ graceMs: ms }), RangeError);
    await assert.rejects(connect(url, { timeoutMs: ms }), RangeError);
  }
});

/** Counts a signal's listeners, which EventTarget itself does not tell. */
function countListeners(signal: AbortSignal): { count: number } {
  const counter = { count: 0 };
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    counter.count++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    counter.count--;
    removeEventListener.apply(signal, args);
  };
  return counter;
}
