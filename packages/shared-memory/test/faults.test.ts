import assert from "node:assert/strict";
import test from "node:test";
import { until } from "@ipc/core/testing";
import { loseEnds } from "../src/ends.ts";
import { openReader, openWriter, type Reader } from "../src/index.ts";
import { AT, readMemory } from "../src/memory.ts";
import { addToSum, checkMessage, makeMessage } from "./fixtures/traffic.ts";
import { bytes, makeRing, startFixture, text } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 600_000 : 30_000;

/** A sequence that looks random and is the same in every run. */
function createRandom(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % below;
  };
}

test("a rogue thread writes anywhere in the ring: reads stay inside it, and end with ERR_RING_CORRUPT or not at all", {
  timeout,
}, (t) => {
  const rounds = isHeavy ? 200_000 : 5_000;
  const random = createRandom(7);
  let [corrupt, whole] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    const { ring } = makeRing(t, { ringBytes: 1_024 });
    const writer = openWriter(ring.memory);
    const reader = openReader(ring.memory);
    while (writer.tryWrite(new Uint8Array(random(200))));
    const words = new Int32Array(ring.memory);
    const interesting = [-1, 0, 1, 3, 1_020, 1_024, 2 ** 31 - 1, -(2 ** 31), random(2 ** 24)];
    const place = [AT.tail, AT.head, AT.data + random(256), AT.data][random(4)] ?? AT.tail;
    words[place] = interesting[random(interesting.length)] ?? 0;
    if (readAll(reader, ring.memory)) whole++;
    else corrupt++;
  }
  assert.ok(corrupt > rounds / 10 && whole > rounds / 10);
  t.diagnostic(`${corrupt} of ${rounds} noticed, the others changed what nobody can know`);
});

/** Returns whether it came to an end without an error. */
function readAll(reader: Reader, memory: SharedArrayBuffer): boolean {
  // More than the ring can hold of them would be an endless loop.
  for (let count = 0; count <= 256; count++) {
    try {
      const message = reader.tryRead();
      if (!message) return true;
      assert.ok(message.byteOffset >= AT.data * 4);
      assert.ok(message.byteOffset + message.length <= memory.byteLength);
      assert.ok(message.length <= 256);
    } catch (error) {
      assert.equal(error instanceof Error && "code" in error && error.code, "ERR_RING_CORRUPT");
      return false;
    }
  }
  assert.fail("the ring never ends");
}

test("sizes in the memory that change later are not looked at", { timeout }, (t) => {
  const { ring } = makeRing(t, { ringBytes: 1_024 });
  const writer = openWriter(ring.memory);
  const reader = openReader(ring.memory);
  const words = new Int32Array(ring.memory);
  words[AT.ringBytes] = 2 ** 30;
  words[AT.maxMessageBytes] = 2 ** 29;
  assert.throws(() => writer.tryWrite(new Uint8Array(257)), { code: "EMSGSIZE", maxMessageBytes: 256 });
  assert.equal(writer.tryWrite(bytes("in its bounds")), true);
  assert.equal(text(reader.tryRead()), "in its bounds");
  assert.throws(() => openWriter(ring.memory), RangeError);
});

test("a writer killed anywhere leaves whole messages, and another one goes on behind them", { timeout }, async (t) => {
  const kills = isHeavy ? 200 : 8;
  const { ring, events } = makeRing(t, { ringBytes: 4_096 });
  const random = createRandom(11);
  let read = 0;
  const reader = openReader(ring.memory);
  for (let kill = 1; kill <= kills; kill++) {
    const victim = startFixture(t, "producer", { writer: kill, to: 1e9 }, { ring });
    // It is killed while it writes: after a number of messages by chance.
    let expected = 0;
    for (const most = random(3_000); expected < most; ) {
      const message = (await reader.readAsync()) ?? assert.fail("the end");
      assert.deepEqual(checkMessage(message, 100), { writer: kill, number: expected++ });
    }
    await victim.kill();
    for (let message = reader.tryRead(); message; message = reader.tryRead()) {
      assert.deepEqual(checkMessage(message, 100), { writer: kill, number: expected++ });
    }
    read += expected;
  }
  assert.equal(events.length, kills);
  t.diagnostic(`${kills} writers killed, ${read} messages read, all whole`);
});

test("a writer killed with the mutex in hand: the next takes it over within ms, nothing is lost of the others", {
  timeout,
}, async (t) => {
  const { ring } = makeRing(t, { ringBytes: 4_096, writers: 3 });
  const consumer = startFixture(t, "consumer", {}, { ring });
  const holder = startFixture(t, "lock-holder", {}, { ring });
  await holder.told("ready");
  const waiting = [2, 3].map((writer) => startFixture(t, "producer", { writer, to: 1_000 }, { ring }));
  await Promise.all(waiting.map((producer) => producer.told("ready")));
  await holder.kill();
  const written = await Promise.all(waiting.map((producer) => producer.told("done")));
  assert.deepEqual(
    written.map((report) => report["written"]),
    [1_000, 1_000],
  );
  assert.equal(waiting.filter(({ reports }) => reports.some(({ is }) => is === "recovered")).length, 1);
  // The holder's end was not closed: somebody closes it in its place.
  await until(() => ring.usedBytes === 0);
  const third = startFixture(t, "producer", { writer: 1, to: 10 }, { ring });
  await third.told("done");
  assert.equal((await consumer.told("done"))["read"], 2_010);
});

test("without watch() a dead holder is noticed by the time limit, which names it", { timeout }, async (t) => {
  const { ring } = makeRing(t, { writers: 2 });
  const holder = startFixture(t, "lock-holder", {}, { ring, isWatched: false });
  await holder.told("ready");
  const { threadId } = holder.worker;
  await holder.kill();
  const producer = startFixture(t, "producer", { writer: 2, to: 10, options: { timeoutMs: 50 } }, { ring });
  const { code, message } = await producer.told("error");
  assert.equal(code, "ETIMEDOUT");
  assert.equal(message, `Cannot lock mutex: thread ${threadId} has held it for more than 50 ms`);
});

test("a reader that waited in vain for a dead reader's mutex goes on when its death is told", {
  timeout,
}, async (t) => {
  const { ring } = makeRing(t, { readers: 2 });
  // No thread of this process.
  const holder = 123_456;
  const reader = startFixture(t, "waiting-reader", { holder }, { ring });
  const { code } = await reader.told("error");
  assert.equal(code, "ETIMEDOUT");
  const writer = openWriter(ring.memory);
  t.after(() => writer.close());
  writer.tryWrite(bytes("still here"));
  // As watch() does when a thread ends.
  loseEnds(readMemory(ring.memory), holder);
  assert.equal((await reader.told("done"))["message"], "still here");
});

test("readers killed one after another: none is lost, each death doubles the message in hand at most", {
  timeout,
}, async (t) => {
  const { ring } = makeRing(t, { ringBytes: 4_096 });
  const kills = isHeavy ? 60 : 6;
  const count = 10_000 * kills;
  const numbers = new Int32Array(new SharedArrayBuffer(count * 4));
  const producer = startFixture(t, "producer", { to: count }, { ring });
  for (let kill = 1; kill <= kills; kill++) {
    const victim = startFixture(t, "consumer", { numbers, restMs: 0.1 }, { ring });
    // In the middle of its work: most likely with a message in hand.
    await until(() => Atomics.load(numbers, 500 * kill) > 0, 0);
    await victim.kill();
  }
  const last = startFixture(t, "consumer", { numbers }, { ring });
  await Promise.all([producer.told("done"), last.told("done")]);
  const seen = numbers.reduce((sum, times) => sum + times, 0);
  assert.equal(numbers.filter((times) => times === 0).length, 0, "none is lost");
  assert.ok(seen > count && seen <= count + kills, `${seen - count} doubled by ${kills} kills`);
  t.diagnostic(`${kills} readers killed: 0 of ${count} lost, ${seen - count} doubled`);
});

test("a thread that ends without closing is as lost as one that is killed; watch() sees it", { timeout }, async (t) => {
  const { ring, events } = makeRing(t);
  const producer = startFixture(t, "producer", { to: 3, isLeftOpen: true }, { ring });
  const { threadId } = producer.worker;
  const { sum } = await producer.told("done");
  await producer.ended;
  assert.deepEqual(events, [{ type: "lost", end: "writer", threadId }]);
  const reader = openReader(ring.memory, { waitMs: 0 });
  let read = 0;
  for (let number = 0; number < 3; number++) {
    const message = (await reader.readAsync()) ?? assert.fail("the end");
    read = addToSum(read, checkMessage(message, 100), message.length);
  }
  assert.equal(read, sum);
  await assert.rejects(reader.readAsync(), {
    code: "EOWNERDEAD",
    message: "Cannot wait for the writer any longer: its thread ended without closing it",
  });
  // Not the end: another one may take its place.
  const writer = openWriter(ring.memory);
  writer.tryWrite(makeMessage(new Uint8Array(100), 2, 0, 100));
  writer.close();
  assert.deepEqual(checkMessage((await reader.readAsync()) ?? assert.fail("the end"), 100), { writer: 2, number: 0 });
  assert.equal(await reader.readAsync(), undefined);
});
