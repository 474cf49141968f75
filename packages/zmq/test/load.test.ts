import assert from "node:assert/strict";
import test from "node:test";
import type { Child } from "@ipc/core/child";
import { until } from "@ipc/core/testing";
import { connect, startBroker } from "../src/index.ts";
import { bytes, fixture, freeUrl, record, start, text } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 600_000 : 90_000;

test("4 workers are killed again and again: no request is lost, each is answered once", { timeout }, async (t) => {
  const requests = isHeavy ? 10_000 : 1_000;
  const kills = isHeavy ? 5 : 1;
  const recorded = record();
  const broker = await startBroker({ heartbeatMs: 100, onEvent: recorded.onEvent });
  t.after(() => broker.close());
  const startWorker = (name: string) => start(t, fixture("broker-worker"), [broker.urls[1], name, "2"]);
  const workers = new Map<string, Child>(["a", "b", "c", "d"].map((name) => [name, startWorker(name)]));
  await until(() => recorded.count("worker-ready") === 4);

  const clients = await Promise.all(
    Array.from({ length: 20 }, () => connect(broker.url, { timeoutMs: 60_000, tries: 1 })),
  );
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const answers = new Map<string, number>();
  let isOver = false;
  const load = Promise.all(
    clients.map(async (client, number) => {
      for (let i = number; i < requests; i += clients.length) {
        const request = `request ${i}`;
        const [, answered = ""] = /^(.*) by [abcd]$/.exec(text(await client.request(bytes(request)))) ?? [];
        assert.equal(answered, request);
        answers.set(answered, (answers.get(answered) ?? 0) + 1);
      }
    }),
  ).finally(() => {
    isOver = true;
  });
  const share = Math.floor(requests / (kills * workers.size + 1));
  let killed = 0;
  const killing = (async () => {
    for (let round = 0; round < kills; round++) {
      for (const [name, worker] of workers) {
        await until(() => isOver || answers.size >= killed * share + share / 2);
        await worker.stop("SIGKILL");
        killed++;
        workers.set(name, startWorker(name));
      }
    }
  })();
  await Promise.all([load, killing]);
  assert.equal(answers.size, requests);
  assert.ok([...answers.values()].every((count) => count === 1));
  assert.equal(killed, 4 * kills);
  t.diagnostic(`${answers.size} of ${requests} answered once, ${killed} kills`);
});

test("the server is killed and started again and again: every request is answered or fails in words", {
  timeout,
}, async (t) => {
  const requests = isHeavy ? 1_000 : 200;
  const restarts = isHeavy ? 5 : 2;
  const url = await freeUrl();
  const startServer = async () => {
    const server = start(t, "server", ["--port", new URL(url).port]);
    await server.ready;
    return server;
  };
  let server = await startServer();
  const client = await connect(url, { timeoutMs: 500, tries: 20 });
  t.after(() => client.close());
  let answered = 0;
  const load = (async () => {
    for (let i = 0; i < requests; i++) {
      assert.equal(text(await client.request(bytes(`request ${i}`))), "Message Received");
      answered++;
    }
  })();
  for (let restart = 1; restart <= restarts; restart++) {
    await until(() => answered >= (restart * requests) / (restarts + 1), 1);
    await server.stop("SIGKILL");
    server = await startServer();
  }
  await load;
  assert.equal(answered, requests);
  t.diagnostic(`${answered} of ${requests} answered, ${restarts} restarts`);
});
