import assert from "node:assert/strict";
import test from "node:test";
import { until } from "@ipc/core/testing";
import { createRing, openReader, openWriter } from "../src/index.ts";
import { AT } from "../src/memory.ts";
import { makeMessage } from "./fixtures/traffic.ts";
import { bytes, makeRing, startFixture, text } from "./support.ts";

const timeout = 20_000;

test("messages come out as they went in, in order, between two threads; the writer's end is the reader's end", {
  timeout,
}, async (t) => {
  const { ring } = makeRing(t);
  const consumer = startFixture(t, "consumer", {}, { ring });
  const producer = startFixture(t, "producer", { to: 50_000 }, { ring });
  const [written, read] = await Promise.all([producer.told("done"), consumer.told("done")]);
  assert.equal(written["written"], 50_000);
  assert.equal(read["read"], 50_000);
  assert.equal(read["sum"], written["sum"]);
  assert.equal(ring.usedBytes, 0);
});

test("every length at every place of the ring, the empty message and the longest among them", { timeout }, (t) => {
  const { ring } = makeRing(t, { ringBytes: 1_024, maxMessageBytes: 508 });
  const writer = openWriter(ring.memory);
  const reader = openReader(ring.memory);
  for (let shift = 0; shift < 128; shift++) {
    for (const length of [0, 1, 2, 3, 4, 5, 63, 64, 255, 507, 508]) {
      const message = new Uint8Array(length).map((_, index) => index * 31 + shift);
      assert.equal(writer.tryWrite(message), true);
      const read = reader.tryRead();
      assert.deepEqual(read?.slice(), message, `${length} bytes`);
      assert.equal((read?.byteOffset ?? 1) % 8, 0, "copied 8 bytes at a time, and good for a Float64Array");
      assert.equal(reader.tryRead(), undefined, "asked for the next one, it gives the room of this one back");
    }
    // The next round begins 8 bytes further on.
    writer.tryWrite(new Uint8Array());
    reader.tryRead();
    reader.tryRead();
  }
});

test("a full ring takes no more, an empty one gives nothing, and what was taken makes room", { timeout }, (t) => {
  const { ring } = makeRing(t, { ringBytes: 1_024 });
  const writer = openWriter(ring.memory);
  const reader = openReader(ring.memory);
  assert.equal(reader.tryRead(), undefined);
  let count = 0;
  while (writer.tryWrite(bytes(`message ${count}`.padEnd(12)))) count++;
  assert.equal(count, 1_024 / 16, "4 bytes of length and 12 of message each");
  assert.equal(ring.usedBytes, 1_024);
  for (let number = 0; number < count; number++) assert.equal(text(reader.tryRead())?.trim(), `message ${number}`);
  assert.equal(ring.usedBytes, 16, "the last one is in hand until the next is asked for");
  assert.equal(reader.tryRead(), undefined);
  assert.equal(ring.usedBytes, 0);
});

test("indices run over 2^31 and 2^32, and the order holds", { timeout }, (t) => {
  for (const start of [2 ** 31 - 512, 2 ** 32 - 512]) {
    const { ring } = makeRing(t, { ringBytes: 1_024 });
    const words = new Int32Array(ring.memory);
    words[AT.head] = words[AT.tail] = start | 0;
    const writer = openWriter(ring.memory);
    const reader = openReader(ring.memory);
    let [written, read] = [0, 0];
    while (read < 200) {
      while (writer.tryWrite(bytes(`message ${written}`))) written++;
      for (let message = reader.tryRead(); message; message = reader.tryRead()) {
        assert.equal(text(message), `message ${read++}`);
      }
      assert.equal(ring.usedBytes, 0);
    }
    assert.equal((words[AT.tail] ?? 0) < 0, start < 2 ** 31, "it has run over");
  }
});

test("a message above the limit is refused with its numbers, and what is no Uint8Array", { timeout }, (t) => {
  const { ring } = makeRing(t, { maxMessageBytes: 16 });
  const writer = openWriter(ring.memory);
  assert.throws(() => writer.tryWrite(new Uint8Array(17)), {
    name: "RangeError",
    code: "EMSGSIZE",
    message: "Cannot write message of 17 bytes: limit is 16",
    messageBytes: 17,
    maxMessageBytes: 16,
  });
  // As a program that is not type-checked would call it.
  for (const wrong of ["text", { a: 1 }, undefined]) {
    assert.throws(() => writer.tryWrite(wrong as unknown as Uint8Array), TypeError);
  }
  assert.equal(ring.usedBytes, 0);
  assert.equal(writer.tryWrite(new Uint8Array(16)), true);
});

test("a full ring blocks its writer until there is room; after timeoutMs it gets ETIMEDOUT", {
  timeout,
}, async (t) => {
  const { ring } = makeRing(t, { ringBytes: 1_024 });
  const reader = openReader(ring.memory);
  const producer = startFixture(t, "producer", { to: 10_000 }, { ring });
  await producer.told("full");
  assert.ok(ring.usedBytes > 1_024 - 104);
  let count = 0;
  for await (const _ of reader) count++;
  const { waits } = await producer.told("done");
  assert.equal(count, 10_000);
  assert.ok(Number(waits) > 0);

  const silent = makeRing(t, { ringBytes: 1_024 });
  openReader(silent.ring.memory);
  const impatient = startFixture(t, "producer", { to: 10_000, options: { timeoutMs: 50 } }, { ring: silent.ring });
  const { code, message } = await impatient.told("error");
  assert.equal(code, "ETIMEDOUT");
  assert.equal(message, "Cannot wait for the reader any longer: it did nothing for 50 ms");
});

test("a writer whose reader takes a message now and then waits longer than timeoutMs", { timeout }, async (t) => {
  const { ring } = makeRing(t, { ringBytes: 1_024, maxMessageBytes: 400 });
  const consumer = startFixture(t, "consumer", { restMs: 30, mostBytes: 400 }, { ring });
  const options = { timeoutMs: 1_000 };
  const producer = startFixture(t, "producer", { to: 60, mostBytes: 400, options }, { ring });
  const { written, waitedMs } = await producer.told("done");
  assert.equal(written, 60);
  assert.ok(Number(waitedMs) > 1_000, `waited ${waitedMs} ms in all`);
  await consumer.told("done");
});

test("an empty ring blocks its reader; after idleTimeoutMs it gets ETIMEDOUT", { timeout }, async (t) => {
  const { ring } = makeRing(t);
  const writer = openWriter(ring.memory);
  const consumer = startFixture(t, "consumer", { options: { idleTimeoutMs: 50 } }, { ring });
  const { code, message } = await consumer.told("error");
  assert.equal(code, "ETIMEDOUT");
  assert.equal(message, "Cannot wait for the writer any longer: it did nothing for 50 ms");
  assert.throws(() => writer.tryWrite(bytes("nobody")), { code: "EPIPE" });
});

test("nobody at the other end: each side waits for waitMs, and no longer", { timeout }, async (t) => {
  for (const waitMs of [0, 300]) {
    const { ring } = makeRing(t, { ringBytes: 1_024 });
    const writer = openWriter(ring.memory, { waitMs });
    while (writer.tryWrite(bytes("more")));
    const empty = makeRing(t);
    const reader = openReader(empty.ring.memory, { waitMs });
    for (const wait of [() => writer.writeAsync(bytes("more")), () => reader.readAsync()]) {
      const start = performance.now();
      await assert.rejects(wait, { code: "ENOTCONN" });
      const tookMs = performance.now() - start;
      // Timers may be 1 ms early.
      assert.ok(tookMs >= waitMs - 1 && tookMs < waitMs + 2_000, `${tookMs} ms of ${waitMs}`);
    }
  }
});

test("a message needs no company: alone or the last of many it is read while the writer's thread is busy", {
  timeout,
}, async (t) => {
  const { ring } = makeRing(t);
  const numbers = new Int32Array(new SharedArrayBuffer(8_000 * 4));
  const consumer = startFixture(t, "consumer", { numbers }, { ring });
  const writer = openWriter(ring.memory);
  await consumer.told("ready");
  // From here on this thread never rests: no timer, no promise and no later call can help a message on its way.
  const target = new Uint8Array(100);
  let [written, longestMs] = [0, 0];
  for (let burst = 0; burst < 200; burst++) {
    for (let count = 0; count < (burst % 5) ** 3; count++) {
      assert.equal(writer.tryWrite(makeMessage(target, 1, written++, 100)), true);
    }
    const from = performance.now();
    while (written > 0 && Atomics.load(numbers, written - 1) === 0) {
      if (performance.now() - from > 5_000) assert.fail(`message ${written - 1} is held back`);
    }
    longestMs = Math.max(longestMs, performance.now() - from);
  }
  writer.close();
  assert.equal((await consumer.told("done"))["read"], written);
  t.diagnostic(`${written} messages, the longest wait for one took ${longestMs.toFixed(1)} ms`);
});

test("close() of the writer: what is in the ring is read, then the messages end", { timeout }, async (t) => {
  const { ring } = makeRing(t);
  const writer = openWriter(ring.memory);
  const reader = openReader(ring.memory);
  writer.tryWrite(bytes("first"));
  writer.tryWrite(bytes("last"));
  writer.close();
  writer.close();
  assert.throws(() => writer.tryWrite(bytes("too late")), {
    code: "EPIPE",
    message: "Cannot write message: the writer is closed",
  });
  const texts: unknown[] = [];
  for await (const message of reader) texts.push(text(message));
  assert.deepEqual(texts, ["first", "last"]);
  assert.throws(() => openWriter(ring.memory), { code: "EPIPE", message: "Cannot open writer: it is closed" });
});

test("close() of the reader: writers get EPIPE, also one that waits for room", { timeout }, async (t) => {
  const { ring } = makeRing(t, { ringBytes: 1_024 });
  const reader = openReader(ring.memory);
  const producer = startFixture(t, "producer", { to: 1_000 }, { ring });
  await producer.told("full");
  reader[Symbol.dispose]();
  reader.close();
  assert.equal((await producer.told("error"))["message"], "Cannot write message: the reader is closed");
  assert.throws(() => reader.tryRead(), { code: "EPIPE", message: "Cannot read message: the reader is closed" });
});

test("close() of the ring: writers get EPIPE, what is in it is read, and nothing opens it again", {
  timeout,
}, async (t) => {
  const { ring } = makeRing(t, { graceMs: 10_000 });
  const producer = startFixture(t, "producer", { to: 1e9 }, { ring });
  const consumer = startFixture(t, "consumer", {}, { ring });
  await consumer.told("ready");
  await until(() => ring.usedBytes > 0);
  await Promise.all([ring.close(), ring.close()]);
  const [{ code, written, sum }, done] = await Promise.all([producer.told("error"), consumer.told("done")]);
  assert.equal(code, "EPIPE");
  assert.equal(done["read"], written);
  assert.equal(done["sum"], sum);
  assert.throws(() => openReader(ring.memory), { code: "EPIPE", message: "Cannot open reader: the ring is closed" });
});

test("close() of the ring waits for a reader that is still to come, for what is in it", { timeout }, async (t) => {
  const { ring } = makeRing(t, { graceMs: 10_000 });
  const writer = openWriter(ring.memory);
  writer.tryWrite(bytes("written"));
  writer.close();
  const closing = ring.close();
  assert.throws(() => openWriter(ring.memory), { code: "EPIPE", message: "Cannot open writer: the ring is closed" });
  const reader = openReader(ring.memory);
  assert.equal(text(await reader.readAsync()), "written");
  assert.equal(await reader.readAsync(), undefined);
  reader.close();
  await closing;
});

test("close() of the ring cuts off after graceMs who does not close", { timeout }, async (t) => {
  const { ring } = makeRing(t, { graceMs: 50 });
  const writer = openWriter(ring.memory);
  const reader = openReader(ring.memory);
  writer.tryWrite(bytes("unread"));
  const from = performance.now();
  await ring.close();
  assert.ok(performance.now() - from >= 49);
  assert.throws(() => reader.tryRead(), { code: "ECONNRESET" });
  assert.throws(() => writer.tryWrite(bytes("more")), { code: "EPIPE" });
});

test("the main thread is not blocked: write() and read() refuse, their asynchronous forms wait", {
  timeout,
}, async (t) => {
  const { ring } = makeRing(t, { ringBytes: 1_024 });
  const writer = openWriter(ring.memory);
  const reader = openReader(ring.memory);
  assert.throws(() => writer.write(bytes("?")), { code: "ERR_MAIN_THREAD" });
  assert.throws(() => reader.read(), { code: "ERR_MAIN_THREAD" });
  const count = 2_000;
  const writing = (async () => {
    for (let number = 0; number < count; number++) await writer.writeAsync(bytes(`message ${number}`));
    writer.close();
  })();
  let read = 0;
  for await (const message of reader) assert.equal(text(message), `message ${read++}`);
  await writing;
  assert.equal(read, count);
  assert.ok(writer.waits > 0);
  assert.throws(() => openWriter(createRing({ writers: 2 }).memory), { code: "ERR_MAIN_THREAD" });
  assert.throws(() => openReader(createRing({ readers: 2 }).memory), { code: "ERR_MAIN_THREAD" });
});

test("three writers and two readers with the mutex: each message once, each writer's in order", {
  timeout,
}, async (t) => {
  const { ring } = makeRing(t, { ringBytes: 4_096, writers: 3, readers: 2 });
  const count = 20_000;
  const numbers = new Int32Array(new SharedArrayBuffer(count * 4));
  const consumers = [1, 2].map(() => startFixture(t, "consumer", { isInOrder: false, numbers }, { ring }));
  const producers = [1, 2, 3].map((writer) => startFixture(t, "producer", { writer, to: count }, { ring }));
  await Promise.all(producers.map((producer) => producer.told("done")));
  const done = await Promise.all(consumers.map((consumer) => consumer.told("done")));
  const read = done.map((report) => Number(report["read"]));
  assert.equal((read[0] ?? 0) + (read[1] ?? 0), 3 * count);
  assert.ok(
    numbers.every((times) => times === 3),
    "each number came from each of the three, once",
  );
});

test("a second writer of a ring for one is refused, a second reader too", { timeout }, (t) => {
  const { ring } = makeRing(t);
  openWriter(ring.memory);
  openReader(ring.memory);
  assert.throws(() => openWriter(ring.memory), { code: "EBUSY", message: "Cannot open writer: 1 of 1 are open" });
  assert.throws(() => openReader(ring.memory), { code: "EBUSY", message: "Cannot open reader: 1 of 1 are open" });
});

test("what two threads write lies on different cache lines", { timeout }, () => {
  const { tail, head, dataBell, roomBell, writeLock, readLock, data } = AT;
  const places = [AT.endsBell, tail, head, dataBell, roomBell, writeLock, readLock, data];
  for (const [index, place] of places.slice(1).entries()) {
    assert.ok((place - (places[index] ?? 0)) * 4 >= 128, `word ${place}`);
  }
});

test("sizes that make no sense are refused, and memory that is no ring's", { timeout }, () => {
  for (const ringBytes of [0, 512, 1_000, 65_537, 2 ** 31, Number.NaN, -1_024]) {
    assert.throws(() => createRing({ ringBytes }), RangeError, `${ringBytes}`);
  }
  assert.throws(() => createRing({ ringBytes: 1_000 }), {
    message: "Cannot use ringBytes: current value is 1000, it takes a power of two from 1024 to 1073741824",
  });
  for (const maxMessageBytes of [0, 1.5, 509, Number.NaN]) {
    assert.throws(() => createRing({ ringBytes: 1_024, maxMessageBytes }), RangeError, `${maxMessageBytes}`);
  }
  for (const count of [0, 17, 1.5]) {
    assert.throws(() => createRing({ writers: count }), RangeError);
    assert.throws(() => createRing({ readers: count }), RangeError);
  }
  assert.throws(() => createRing({ graceMs: -1 }), RangeError);
  const { memory } = createRing();
  for (const ms of [Number.NaN, -1, 1.5, 3e9]) {
    assert.throws(() => openWriter(memory, { timeoutMs: ms }), RangeError);
    assert.throws(() => openReader(memory, { idleTimeoutMs: ms }), RangeError);
  }
  const cut = new SharedArrayBuffer(memory.byteLength - 4);
  new Uint8Array(cut).set(new Uint8Array(memory, 0, cut.byteLength));
  for (const wrong of [
    undefined,
    {},
    new ArrayBuffer(8),
    new SharedArrayBuffer(8),
    new SharedArrayBuffer(70_000),
    cut,
  ]) {
    assert.throws(() => openWriter(wrong), { name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
  }
  openWriter(memory).close();
});
