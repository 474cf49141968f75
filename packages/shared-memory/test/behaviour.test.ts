import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { openReader, openWriter } from "../src/index.ts";
import { AT } from "../src/memory.ts";
import { makeMessage } from "./fixtures/traffic.ts";
import { bin, bytes, makeRing, startFixture, text } from "./support.ts";

const timeout = 20_000;

test("messages are cut or glued on the way", { timeout }, (t) => {
  const messages = ["one", "", "two words", "é — 漢 🙂"];
  let places = 0;
  for (let shift = 0; shift < 1_024; shift += 8) {
    const { ring } = makeRing(t, { ringBytes: 1_024 });
    const words = new Int32Array(ring.memory);
    words[AT.head] = words[AT.tail] = shift;
    const writer = openWriter(ring.memory);
    for (const message of messages) assert.equal(writer.tryWrite(bytes(message)), true);
    const reader = openReader(ring.memory);
    for (const message of messages) assert.equal(text(reader.tryRead()), message, `from place ${shift}`);
    assert.equal(reader.tryRead(), undefined);
    places++;
  }
  t.diagnostic(`${messages.length} messages at each of ${places} places: all whole`);
});

test("a message is too large", { timeout }, (t) => {
  const { ring } = makeRing(t);
  const writer = openWriter(ring.memory);
  const reader = openReader(ring.memory);
  writer.tryWrite(bytes("before"));
  assert.throws(() => writer.tryWrite(new Uint8Array(16_385)), {
    code: "EMSGSIZE",
    message: "Cannot write message of 16385 bytes: limit is 16384",
  });
  writer.tryWrite(bytes("after"));
  assert.deepEqual([text(reader.tryRead()), text(reader.tryRead())], ["before", "after"]);
  t.diagnostic("EMSGSIZE above 16384 bytes, nothing written, others go on");
});

test("a message is malformed", { timeout }, (t) => {
  const lengths = [-2, -(2 ** 31), 2 ** 31 - 1, 16_385, 100, -1];
  for (const length of lengths) {
    const { ring } = makeRing(t);
    const writer = openWriter(ring.memory);
    const reader = openReader(ring.memory);
    writer.tryWrite(bytes("good"));
    writer.tryWrite(bytes("bad"));
    // A thread that writes over what is not its own: the second length.
    new Int32Array(ring.memory)[AT.data + 2] = length;
    assert.equal(text(reader.tryRead()), "good");
    assert.throws(() => reader.tryRead(), { code: "ERR_RING_CORRUPT" }, `length ${length}`);
    assert.throws(() => reader.tryRead(), { code: "ERR_RING_CORRUPT" }, "it stays broken");
    assert.throws(() => writer.tryWrite(bytes("more")), { code: "EPIPE" });
  }
  t.diagnostic(`reader stops: ERR_RING_CORRUPT, ${lengths.length} of ${lengths.length}; writer: EPIPE`);
});

test("the reader is slow", { timeout }, async (t) => {
  const { ring } = makeRing(t);
  const producer = startFixture(t, "producer", { to: 1e9, mostBytes: 16_384 }, { ring });
  const reader = openReader(ring.memory);
  await producer.told("full");
  const used = ring.usedBytes;
  assert.ok(used > 65_536 - 2 * 16_388 && used <= 65_536, `${used} bytes`);
  const before = residentMib(process.pid) ?? 0;
  // It is blocked: in half a second nothing moves, and nothing grows.
  await sleep(500);
  assert.equal(ring.usedBytes, used);
  const grownMib = (residentMib(process.pid) ?? 0) - before;
  assert.ok(grownMib < 8, `grew by ${grownMib} MiB`);
  assert.deepEqual(
    producer.reports.map(({ is }) => is),
    ["ready", "full"],
  );
  reader.close();
  assert.equal((await producer.told("error"))["code"], "EPIPE");
  t.diagnostic(`writer blocks: ${used} of 65536 bytes held`);
});

test("the peer is killed", { timeout }, async (t) => {
  const { ring, events } = makeRing(t, { ringBytes: 1_024 });
  const consumer = startFixture(t, "consumer", { stopAfter: 10, isHolding: true }, { ring });
  await consumer.told("ready");
  const producer = startFixture(t, "producer", { to: 10_000, options: { waitMs: 0 } }, { ring });
  await producer.told("full");
  await consumer.told("done");
  const { threadId } = consumer.worker;
  const killedAt = performance.now();
  void consumer.kill();
  const { code, message } = await producer.told("error");
  const noticedMs = performance.now() - killedAt;
  assert.equal(code, "EOWNERDEAD");
  assert.equal(message, "Cannot wait for the reader any longer: its thread ended without closing it");
  assert.deepEqual(events, [{ type: "lost", end: "reader", threadId }]);
  assert.ok(noticedMs < 2_000, `noticed after ${noticedMs} ms`);

  const other = makeRing(t);
  const victim = startFixture(t, "producer", { to: 1e9, mostBytes: 16_000 }, { ring: other.ring });
  await victim.told("ready");
  const survivor = startFixture(t, "consumer", { mostBytes: 16_000, options: { waitMs: 0 } }, { ring: other.ring });
  await until(() => other.ring.usedBytes > 0);
  await victim.kill();
  assert.equal((await survivor.told("error"))["code"], "EOWNERDEAD", "after whole messages only");
  t.diagnostic(`EOWNERDEAD after ${noticedMs.toFixed(0)} ms at waitMs 0; none is half written`);
});

test("the peer goes silent", { timeout }, async (t) => {
  const { ring } = makeRing(t, { ringBytes: 1_024 });
  // Open, alive, and takes nothing.
  openReader(ring.memory);
  const producer = startFixture(t, "producer", { to: 10_000, options: { timeoutMs: 300 } }, { ring });
  const [full, error] = await Promise.all([producer.told("full"), producer.told("error")]);
  assert.equal(error["code"], "ETIMEDOUT");
  const waitedMs = error.at - full.at;
  assert.ok(waitedMs >= 299 && waitedMs < 2_000, `gave up after ${waitedMs} ms`);

  const quiet = makeRing(t);
  openWriter(quiet.ring.memory);
  const consumer = startFixture(t, "consumer", { options: { idleTimeoutMs: 100 } }, { ring: quiet.ring });
  assert.equal((await consumer.told("error"))["code"], "ETIMEDOUT");
  t.diagnostic(`writer: after ${waitedMs.toFixed(0)} ms at timeoutMs 300; reader: idleTimeoutMs`);
});

test("the client starts first", { timeout }, async (t) => {
  const { ring } = makeRing(t);
  const consumer = startFixture(t, "consumer", {}, { ring });
  await consumer.told("waiting");
  const startedAt = performance.now();
  const writer = openWriter(ring.memory);
  await writer.writeAsync(makeMessage(new Uint8Array(100), 1, 0, 100));
  await until(() => ring.usedBytes === 0, 1);
  const tookMs = performance.now() - startedAt;
  writer.close();
  assert.equal((await consumer.told("done"))["read"], 1);
  assert.equal(consumer.reports.filter(({ is }) => is === "waiting").length, 1, "says once that it waits");
  t.diagnostic(`consumer waits, message read after ${tookMs.toFixed(0)} ms`);
});

test("the server restarts", { timeout }, async (t) => {
  const { ring } = makeRing(t);
  const count = 20_000;
  const numbers = new Int32Array(new SharedArrayBuffer(count * 4));
  const producer = startFixture(t, "producer", { to: count }, { ring });
  const first = startFixture(t, "consumer", { stopAfter: 5_000, isHolding: true, numbers }, { ring });
  await first.told("done");
  await first.kill();
  const second = startFixture(t, "consumer", { numbers }, { ring });
  const [{ written }, done] = await Promise.all([producer.told("done"), second.told("done")]);
  assert.equal(written, count);
  assert.equal(done["first"], 4_999, "goes on with the message that the first had in hand");
  const doubled = numbers.filter((times) => times === 2).length;
  assert.equal(numbers.filter((times) => times === 0).length, 0, "none is lost");
  assert.equal(doubled, 1);
  t.diagnostic(`a new consumer goes on: 0 lost, ${doubled} doubled, the one in hand`);
});

test("the port is taken", { timeout }, async (t) => {
  const { ring } = makeRing(t);
  openWriter(ring.memory);
  const second = startFixture(t, "producer", { to: 1 }, { ring });
  const { code, message } = await second.told("error");
  assert.equal(code, "EBUSY");
  assert.equal(message, "Cannot open writer: 1 of 1 are open");
  t.diagnostic("no port; a second writer: EBUSY");
});

test("it is told to stop", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--messages", "1000000000"]);
  t.after(() => start.stop("SIGKILL"));
  await start.waitForLine(/rests/);
  await start.waitForLine(/full/);
  const toldAt = performance.now();
  assert.deepEqual(await start.stop("SIGTERM"), { code: 0, signal: null });
  const tookMs = performance.now() - toldAt;
  const [wrote, read] = [/ wrote (.+ sum \w+)/, / read {2}(.+ sum \w+)/].map((totals) =>
    start.output.flatMap((line) => totals.exec(line)?.[1] ?? []).join(),
  );
  assert.ok(wrote, start.output.join("\n"));
  assert.equal(read, wrote, "what was written is read");
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  t.diagnostic(`all that was written is read; exit 0 after ${tookMs.toFixed(0)} ms`);
});

test("two clients at once", { timeout }, async (t) => {
  const { ring } = makeRing(t, { writers: 2 });
  const consumer = startFixture(t, "consumer", {}, { ring });
  const producers = [1, 2].map((writer) => startFixture(t, "producer", { writer, to: 20_000 }, { ring }));
  await Promise.all(producers.map((producer) => producer.told("done")));
  assert.equal((await consumer.told("done"))["read"], 40_000);
  t.diagnostic("2 writers take turns by a mutex: 40000 of 40000, each in order");
});
