import assert from "node:assert/strict";
import test from "node:test";
import { makeRing, startFixture } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 600_000 : 60_000;

test("5,000,000 messages through 64 KiB: all whole, in order, both sides' checksums equal", { timeout }, async (t) => {
  const count = isHeavy ? 50_000_000 : 5_000_000;
  const { ring } = makeRing(t);
  const startedAt = performance.now();
  const consumer = startFixture(t, "consumer", { mostBytes: 60 }, { ring });
  const producer = startFixture(t, "producer", { to: count, mostBytes: 60 }, { ring });
  const [written, read] = await Promise.all([producer.told("done"), consumer.told("done")]);
  const seconds = (performance.now() - startedAt) / 1_000;
  assert.deepEqual([read["read"], read["sum"]], [count, written["sum"]]);
  t.diagnostic(`${count} in ${seconds.toFixed(1)} s, the writer waited ${written["waits"]} times for room`);
});

test("no wake-up is lost: two threads take turns, each sleeps until the other has written", { timeout }, async (t) => {
  const count = isHeavy ? 2_000_000 : 50_000;
  const there = makeRing(t, { ringBytes: 1_024 });
  const back = makeRing(t, { ringBytes: 1_024 });
  const data = { there: there.ring.memory, back: back.ring.memory, count };
  const threads = [true, false].map((isFirst) => startFixture(t, "rally", { ...data, isFirst }));
  const [done] = await Promise.all(threads.map((thread) => thread.told("done")));
  assert.equal(done?.["turns"], count);
  t.diagnostic(`${count} turns, ${Number(done?.["us"]).toFixed(1)} µs each`);
});

test("no wake-up is lost where room is scarce: a ring that holds two messages", { timeout }, async (t) => {
  const count = isHeavy ? 5_000_000 : 200_000;
  const { ring } = makeRing(t, { ringBytes: 1_024, maxMessageBytes: 508 });
  const consumer = startFixture(t, "consumer", { mostBytes: 508 }, { ring });
  const producer = startFixture(t, "producer", { to: count, mostBytes: 508 }, { ring });
  const [written, read] = await Promise.all([producer.told("done"), consumer.told("done")]);
  assert.deepEqual([read["read"], read["sum"]], [count, written["sum"]]);
  t.diagnostic(`${count} messages, the writer slept ${written["waits"]} times`);
});
