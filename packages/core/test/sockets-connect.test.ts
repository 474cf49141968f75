import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { startProgram } from "../src/child.ts";
import { connectTcp } from "../src/sockets.ts";
import { startTcpServer } from "../src/tcp-server.ts";
import { parseAddress } from "../src/url.ts";
import { until } from "./support.ts";

const timeout = 20_000;

/** The URL of a port on which nobody listens any more. */
async function freeUrl(): Promise<string> {
  const server = await startTcpServer({}, async () => {});
  await server.close();
  return server.url;
}

test("connectTcp() resolves with a socket that is connected, without delay of small messages", {
  timeout,
}, async (t) => {
  const got: string[] = [];
  const server = await startTcpServer({}, async (socket) => {
    for await (const chunk of socket) got.push(String(chunk));
  });
  t.after(() => server.close());
  const socket = await connectTcp(server.url);
  t.after(() => socket.destroy());
  assert.equal(socket.connecting, false);
  assert.equal(`tcp://${socket.remoteAddress}:${socket.remotePort}`, server.url);
  socket.end("Hello");
  await until(() => got.join("") === "Hello");
});

test("connectTcp() waits for a server that comes late, and says once that it waits", { timeout }, async (t) => {
  const url = await freeUrl();
  const waits: Error[] = [];
  let server: Awaited<ReturnType<typeof startTcpServer>> | undefined;
  t.after(() => server?.close());
  const socket = await connectTcp(url, {
    waitMs: 15_000,
    onWaiting: (error) => {
      waits.push(error);
      // Long enough for several tries to fail.
      setTimeout(async () => {
        server = await startTcpServer({ port: parseAddress(url, "tcp").port }, async () => {});
      }, 300);
    },
  });
  socket.destroy();
  assert.equal(waits.length, 1);
  assert.match(waits[0]?.message ?? "", new RegExp(`^Cannot connect to ${url}: nobody listens there$`));
});

test("connectTcp() with waitMs 0 fails at once: ECONNREFUSED with the URL in its text", { timeout }, async () => {
  const url = await freeUrl();
  const start = performance.now();
  const onWaiting = () => assert.fail("it does not wait");
  await assert.rejects(connectTcp(url, { waitMs: 0, onWaiting }), {
    name: "Error",
    code: "ECONNREFUSED",
    message: `Cannot connect to ${url}: nobody listens there`,
  });
  assert.ok(performance.now() - start < 1_000);
});

test("connectTcp() keeps the system's error as the cause", { timeout }, async () => {
  const error: unknown = await connectTcp(await freeUrl(), { waitMs: 0 }).catch((reason: unknown) => reason);
  assert.ok(error instanceof Error && error.cause instanceof Error && "syscall" in error.cause);
  assert.equal(error.cause.syscall, "connect");
});

test("connectTcp() gives up after waitMs with the last error", { timeout }, async () => {
  const url = await freeUrl();
  const start = performance.now();
  let waits = 0;
  await assert.rejects(connectTcp(url, { waitMs: 300, onWaiting: () => waits++ }), { code: "ECONNREFUSED" });
  const elapsedMs = performance.now() - start;
  assert.ok(elapsedMs >= 295 && elapsedMs < 2_000, `after ${elapsedMs} ms`);
  assert.equal(waits, 1);
});

test("connectTcp() stops waiting when its signal aborts, with the signal's reason", { timeout }, async () => {
  const url = await freeUrl();
  const stop = new AbortController();
  const reason = new Error("no longer needed");
  const connecting = connectTcp(url, { signal: stop.signal, onWaiting: () => stop.abort(reason) });
  await assert.rejects(connecting, reason);
  await assert.rejects(connectTcp(url, { signal: stop.signal }), reason);
});

test("connectTcp() aborts a try that is under way and leaves no socket", { timeout }, async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const stop = new AbortController();
  const reason = new Error("no longer needed");
  const connecting = connectTcp(`tcp://127.0.0.1:${address.port}`, { signal: stop.signal });
  stop.abort(reason);
  await assert.rejects(connecting, reason);
  await until(() => !process.getActiveResourcesInfo().some((name) => /^TCP(Connect|Socket)Wrap$/.test(name)));
});

test("connectTcp() gives up a try that nobody answers after connectTimeoutMs: ETIMEDOUT", { timeout }, async (t) => {
  const deaf = startProgram(new URL("fixtures/never-accepts.ts", import.meta.url));
  t.after(() => deaf.stop("SIGKILL"));
  const url = await deaf.ready;
  // The system accepts a few until the listener's queue is full; from then on it answers nobody.
  let error: unknown;
  let elapsedMs = 0;
  for (let i = 0; i < 20 && error === undefined; i++) {
    const start = performance.now();
    const connecting = connectTcp(url, { waitMs: 0, connectTimeoutMs: 300 });
    error = await connecting.then(
      (socket) => void t.after(() => socket.destroy()),
      (reason: unknown) => reason,
    );
    elapsedMs = performance.now() - start;
  }
  assert.ok(error instanceof Error && "code" in error);
  assert.equal(error.code, "ETIMEDOUT");
  assert.equal(error.message, `Cannot connect to ${url}: no answer within 300 ms`);
  assert.ok(elapsedMs >= 295 && elapsedMs < 2_000, `after ${elapsedMs} ms`);
});

test("connectTcp() that has connected is not touched by a later abort", { timeout }, async (t) => {
  const server = await startTcpServer({ graceMs: 0 }, async (socket) => {
    for await (const chunk of socket) socket.write(chunk);
  });
  t.after(() => server.close());
  const stop = new AbortController();
  const socket = await connectTcp(server.url, { signal: stop.signal });
  t.after(() => socket.destroy());
  stop.abort();
  socket.write("still here");
  assert.equal(String((await once(socket, "data"))[0]), "still here");
});

test("connectTcp() says that there is no such host", { timeout }, async () => {
  await assert.rejects(connectTcp("tcp://no-such-host.invalid:1", { waitMs: 0 }), (error: NodeJS.ErrnoException) => {
    // Without a network the resolver says EAI_AGAIN.
    assert.match(error.code ?? "", /^(ENOTFOUND|EAI_AGAIN)$/);
    assert.match(error.message, /^Cannot connect to tcp:\/\/no-such-host\.invalid:1: /);
    return true;
  });
});

for (const url of ["", "nonsense", "127.0.0.1:80", "http://127.0.0.1:80", "tcp://127.0.0.1", "tcp://127.0.0.1:65536"]) {
  test(`connectTcp("${url}") fails with ERR_INVALID_URL, without a try`, { timeout }, async () => {
    await assert.rejects(async () => await connectTcp(url), {
      name: "TypeError",
      code: "ERR_INVALID_URL",
      message: new RegExp(`^Cannot use address '${url}'`),
    });
  });
}

test("connectTcp() rejects for a bad URL, it does not throw: .catch() must see it", { timeout }, async () => {
  let connecting: Promise<unknown> = Promise.resolve();
  assert.doesNotThrow(() => {
    connecting = connectTcp("nonsense");
  });
  await assert.rejects(connecting, { code: "ERR_INVALID_URL" });
});
