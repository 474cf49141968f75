import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, get, type IncomingMessage, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { createHttpCloser } from "../src/http-close.ts";

const timeout = 20_000;

async function listen(t: { after(fn: () => void): void }, listener: RequestListener) {
  const server = createServer(listener);
  const close = createHttpCloser(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const agent = new Agent({ keepAlive: true });
  t.after(() => {
    agent.destroy();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, close, request: () => get({ port, host: "127.0.0.1", agent }) };
}

async function answerOf(
  request: ReturnType<typeof get>,
): Promise<{ body: string; headers: IncomingMessage["headers"] }> {
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return { body: await text(response), headers: response.headers };
}

test("an answer on its way finishes, idle connections close at once, and nothing is left", { timeout }, async (t) => {
  const { promise: asked, resolve: onAsked } = deferred();
  const { promise: released, resolve: release } = deferred();
  let isSlow = false;
  const { server, close, request } = await listen(t, async (_request, response) => {
    if (isSlow) {
      response.write("first half, ");
      onAsked();
      await released;
    }
    response.end("done");
  });
  assert.equal((await answerOf(request())).body, "done");
  isSlow = true;
  const slow = answerOf(request());
  await asked;
  const closed = close(10_000);
  release();
  assert.equal((await slow).body, "first half, done");
  await closed;
  assert.equal(server.listening, false);
});

test("what is not done within the grace is cut off", { timeout }, async (t) => {
  const { close, request } = await listen(t, (_request, response) => {
    response.write("never ");
  });
  const stuck = request();
  const [response] = (await once(stuck, "response")) as [IncomingMessage];
  const body = text(response);
  const cut = assert.rejects(body, { code: "ECONNRESET" });
  await close(50);
  await cut;
});

test("a connection that has said nothing holds nobody up", { timeout }, async (t) => {
  const { close, port, request } = await listen(t, (_request, response) => response.end("done"));
  const silent = connect(port, "127.0.0.1");
  const gone = once(silent, "close");
  await once(silent, "connect");
  assert.equal((await answerOf(request())).body, "done");
  const began = performance.now();
  await close(10_000);
  await gone;
  assert.ok(performance.now() - began < 5_000);
});

test("a server that does not listen is closed already", async () => {
  await createHttpCloser(createServer())(1_000);
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
