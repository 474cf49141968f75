import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, get, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { closeHttpServer } from "../src/http-close.ts";

const timeout = 20_000;

async function listen(t: { after(fn: () => void): void }, listener: RequestListener) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const agent = new Agent({ keepAlive: true });
  t.after(() => {
    agent.destroy();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { server, request: () => get({ port, host: "127.0.0.1", agent }) };
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
  const { server, request } = await listen(t, async (_request, response) => {
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
  const closed = closeHttpServer(server, 10_000);
  release();
  assert.equal((await slow).body, "first half, done");
  await closed;
  assert.equal(server.listening, false);
});

test("what is not done within the grace is cut off", { timeout }, async (t) => {
  const { server, request } = await listen(t, (_request, response) => {
    response.write("never ");
  });
  const stuck = request();
  const [response] = (await once(stuck, "response")) as [IncomingMessage];
  const body = text(response);
  const cut = assert.rejects(body, { code: "ECONNRESET" });
  await closeHttpServer(server, 50);
  await cut;
});

test("a server that does not listen is closed already", async () => {
  await closeHttpServer(createServer(), 1_000);
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
