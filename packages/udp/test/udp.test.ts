import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@ipc/core/testing";
import { encodeDatagram, HEADER_BYTES, KIND, MAX_DATAGRAM_BYTES, parseHeader } from "../src/datagram.ts";
import { connect, openSender, startReceiver } from "../src/index.ts";
import { askUntilAnswered } from "../src/questions.ts";
import { Statistics, StreamStatistics } from "../src/statistics.ts";
import { createRandom, startRelay } from "./relay.ts";
import { bytes, dial, freeUrl, receive, text } from "./support.ts";

const timeout = 20_000;

test("a message arrives as it was sent, whatever its length", { timeout }, async (t) => {
  const { url, messages } = await receive(t);
  const sender = await openSender(url);
  t.after(() => sender.close());
  const lengths = [0, 1, 1_182, 1_183, 40_000, MAX_DATAGRAM_BYTES - HEADER_BYTES];
  for (const length of lengths) await sender.send(new Uint8Array(length).map((_, index) => index * 31));
  await until(() => messages.length === lengths.length);
  for (const [index, { message, sequence }] of messages.entries()) {
    assert.equal(sequence, index);
    const expected = new Uint8Array(lengths[index] ?? 0).map((_, at) => at * 31);
    assert.deepEqual(Buffer.from(message), Buffer.from(expected));
  }
});

test("65,507 bytes go out, 65,508 are refused before they are sent, 0 are no datagram of ours", {
  timeout,
}, async (t) => {
  const { receiver, url } = await receive(t);
  const sender = await openSender(url);
  t.after(() => sender.close());
  const most = MAX_DATAGRAM_BYTES - HEADER_BYTES;
  await sender.send(new Uint8Array(most));
  const tooLarge = { name: "RangeError", code: "EMSGSIZE", datagramBytes: 65_508, maxDatagramBytes: 65_507 };
  await assert.rejects(sender.send(new Uint8Array(most + 1)), tooLarge);
  await assert.rejects(sender.ping(new Uint8Array(most + 1)), tooLarge);
  // The system draws the line at the same byte.
  const socket = await dial(t, url);
  const send = (length: number) =>
    new Promise<string>((resolve) => {
      socket.send(Buffer.alloc(length), (error: NodeJS.ErrnoException | null) => resolve(error?.code ?? "sent"));
    });
  assert.equal(await send(65_507), "sent");
  assert.equal(await send(65_508), "EMSGSIZE");
  assert.equal(await send(0), "sent");
  await until(() => receiver.counts().malformed === 2);
  assert.equal(receiver.counts().received, 1);
  assert.equal(receiver.counts().lost, 0, "what was refused has no number");
});

test("above 1,200 bytes there is advice, once", { timeout }, async (t) => {
  const { url } = await receive(t);
  const events: unknown[] = [];
  const sender = await openSender(url, { onEvent: (event) => events.push(event) });
  t.after(() => sender.close());
  await sender.send(new Uint8Array(1_200 - HEADER_BYTES));
  assert.deepEqual(events, []);
  for (let count = 0; count < 3; count++) await sender.send(new Uint8Array(1_201 - HEADER_BYTES));
  assert.deepEqual(events, [{ type: "fragmented", datagramBytes: 1_201, unfragmentedBytes: 1_200 }]);
});

test("what is no Uint8Array is refused", { timeout }, async (t) => {
  const { url } = await receive(t);
  const sender = await openSender(url);
  t.after(() => sender.close());
  const wrong: unknown = "text";
  await assert.rejects(sender.send(wrong as Uint8Array), TypeError);
  await assert.rejects(sender.ping(wrong as Uint8Array), TypeError);
});

test("IPv6 works as well", { timeout }, async (t) => {
  const receiver = await startReceiver({ host: "::1" }).catch((error: NodeJS.ErrnoException) => error.code);
  if (receiver === "EADDRNOTAVAIL") return t.skip("this machine has no IPv6 on loopback");
  assert.ok(typeof receiver === "object");
  t.after(() => receiver.close());
  assert.match(receiver.url, /^udp:\/\/\[::1\]:\d+$/);
  const sender = await openSender(receiver.url);
  t.after(() => sender.close());
  await sender.send(bytes("over six"));
  for await (const { peer, message } of receiver) {
    assert.match(peer, /^\[::1\]:\d+$/);
    assert.equal(text(message), "over six");
    break;
  }
});

test("multicast: every receiver of the group gets each message, and nobody answers", { timeout }, async (t) => {
  const group = { group: "239.255.50.5", interface: "127.0.0.1" };
  const one = await receive(t, group);
  const { port } = new URL(one.url);
  const other = await receive(t, { ...group, port: Number(port) });
  assert.equal(one.url, `udp://239.255.50.5:${port}`);
  const sender = await openSender(one.url, { interface: "127.0.0.1", ttl: 0, timeoutMs: 50 });
  t.after(() => sender.close());
  assert.equal(sender.blind, true);
  for (const message of ["to", "all"]) await sender.send(bytes(message));
  await until(() => one.messages.length === 2 && other.messages.length === 2);
  assert.deepEqual(
    [one.texts(), other.texts()],
    [
      ["to", "all"],
      ["to", "all"],
    ],
  );
  await assert.rejects(sender.ping(bytes("?")), { code: "ETIMEDOUT" });
  await until(() => one.receiver.counts().pings === 1 && other.receiver.counts().pings === 1);
});

test("multicast: what is no group or no interface is refused in one line", { timeout }, async () => {
  await assert.rejects(startReceiver({ group: "127.0.0.1" }), {
    code: "EINVAL",
    message: "Cannot listen on udp://127.0.0.1:0: it is no multicast group",
  });
  await assert.rejects(startReceiver({ group: "203.0.113.9" }), { code: "EINVAL" });
  await assert.rejects(startReceiver({ group: "239.1.2.3", interface: "203.0.113.9" }), {
    code: "ENODEV",
    message: "Cannot listen on udp://239.1.2.3:0: there is no such interface, or no route to the group",
  });
});

test("broadcast: has to be allowed, then reaches who listens on all addresses", { timeout }, async (t) => {
  const { url, messages, texts } = await receive(t, { host: "0.0.0.0" });
  const broadcast = `udp://127.255.255.255:${new URL(url).port}`;
  await assert.rejects(openSender(broadcast), {
    code: "EACCES",
    message: `Cannot send to ${broadcast}: a broadcast address needs the option broadcast`,
  });
  const sender = await openSender(broadcast, { broadcast: true });
  t.after(() => sender.close());
  await sender.send(bytes("to whom it may concern"));
  await until(() => messages.length === 1);
  assert.deepEqual(texts(), ["to whom it may concern"]);
});

test("a sender says when nobody is there, and a receiver that comes later gets what is sent then", {
  timeout,
}, async (t) => {
  const url = await freeUrl();
  const events: string[] = [];
  const sender = await openSender(url, { blind: true, onEvent: ({ type }) => events.push(type) });
  t.after(() => sender.close());
  await until(() => {
    void sender.send(bytes("anybody?"));
    return events.includes("unreachable");
  });
  const { messages, texts } = await receive(t, { port: Number(new URL(url).port) });
  await sender.send(bytes("now"));
  await until(() => messages.length > 0);
  assert.equal(texts().at(-1), "now");
  await assert.rejects(openSender(await freeUrl(), { waitMs: 0 }), { code: "ECONNREFUSED" });
});

test("openSender() rejects for an address that is none, and when its signal aborts", { timeout }, async () => {
  await assert.rejects(openSender("127.0.0.1:5005"), { code: "ERR_INVALID_URL", name: "TypeError" });
  const controller = new AbortController();
  const reason = new Error("changed my mind");
  const onEvent = () => controller.abort(reason);
  await assert.rejects(openSender(await freeUrl(), { signal: controller.signal, onEvent }), reason);
});

test("who waits for somebody that takes datagrams and never answers is let go at once by its signal", {
  timeout,
}, async (t) => {
  const { url } = await receive(t, { mute: true });
  for (const open of [openSender, connect]) {
    const controller = new AbortController();
    const opening = open(url, { signal: controller.signal, waitMs: 60_000, graceMs: 0 });
    // By then a try takes longer than a second.
    setTimeout(() => controller.abort(new Error("changed my mind")), 2_500);
    const abortedAt = new Promise<number>((resolve) => {
      controller.signal.addEventListener("abort", () => resolve(performance.now()));
    });
    await assert.rejects(opening, { message: "changed my mind" });
    const ms = performance.now() - (await abortedAt);
    assert.ok(ms < 300, `${open.name}: ${ms} ms`);
  }
});

test("no try of a wait lasts beyond waitMs; with 0 there is one", { timeout }, async () => {
  for (const waitMs of [0, 50, 700]) {
    const start = performance.now();
    let tries = 0;
    async function ask(limitMs: number) {
      tries++;
      const leftMs = waitMs - (performance.now() - start);
      assert.ok(limitMs <= Math.max(leftMs, waitMs === 0 ? 100 : 0) + 2, `${limitMs} ms, left are ${leftMs}`);
      await sleep(limitMs);
      throw Object.assign(new Error("no answer"), { code: "ETIMEDOUT" });
    }
    await assert.rejects(askUntilAnswered(ask, { waitMs }), { code: "ETIMEDOUT" });
    if (waitMs === 0) assert.equal(tries, 1);
    if (waitMs === 700) assert.ok(tries > 1);
  }
});

test("a sender that is closed sends nothing more, and close() may be called again", { timeout }, async (t) => {
  const { url } = await receive(t);
  const sender = await openSender(url);
  await Promise.all([sender.close(), sender.close()]);
  await assert.rejects(sender.send(bytes("late")), { code: "EPIPE" });
  await assert.rejects(sender.ping(), { code: "EPIPE" });
  assert.equal(sender.isClosed, true);
});

test("what is queued can be read after close(), by one loop after another; then they end", { timeout }, async (t) => {
  const receiver = await startReceiver();
  const sender = await openSender(receiver.url);
  t.after(() => sender.close());
  for (const message of ["one", "two", "three"]) await sender.send(bytes(message));
  await sender.ping();
  await Promise.all([receiver.close(), receiver.close()]);
  const texts: string[] = [];
  for await (const { message } of receiver) {
    texts.push(text(message));
    break;
  }
  for await (const { message } of receiver) texts.push(text(message));
  assert.deepEqual(texts, ["one", "two", "three"]);
});

test("a receiver counts exactly what a bad network did", { timeout }, async (t) => {
  const { receiver, url } = await receive(t);
  const relay = await startRelay(t, url, { seed: 7, lost: 0.1, reordered: 0.1, doubled: 0.1 });
  const sender = await openSender(relay.url, { blind: true });
  t.after(() => sender.close());
  const count = 2_000;
  for (let index = 0; index < count; index++) await sender.send(bytes(`${index}`));
  const { received, doubled, lost, reordered } = await until(() => {
    const counts = receiver.counts();
    return counts.received + counts.doubled === count - relay.counts.lost + relay.counts.doubled && counts;
  });
  assert.equal(received, count - relay.counts.lost);
  assert.equal(doubled, relay.counts.doubled);
  // What was lost behind the last one that came, nobody can know of.
  assert.ok(relay.counts.lost - lost <= 5 && lost <= relay.counts.lost, `${lost} of ${relay.counts.lost}`);
  assert.ok(reordered > 0 && reordered <= relay.counts.reordered + relay.counts.doubled, `${reordered}`);
  assert.ok((receiver.counts().streams[0]?.jitterMs ?? 0) > 0);
});

test("statistics: any order, any copies, around 2^32 as well, counted against a set", { timeout }, () => {
  const random = createRandom(1);
  for (let round = 0; round < 200; round++) {
    const statistics = new StreamStatistics("anybody");
    const first = round % 2 === 0 ? 0 : 2 ** 32 - 50;
    const offsets = shuffled(random);
    const seen = new Set<number>();
    let highest = -1;
    let reordered = 0;
    for (const offset of offsets) {
      if (!seen.has(offset) && offset < highest) reordered++;
      assert.equal(statistics.add((first + offset) % 2 ** 32, 0, 0), !seen.has(offset));
      seen.add(offset);
      highest = Math.max(highest, offset);
    }
    assert.equal(statistics.received, seen.size);
    assert.equal(statistics.doubled, offsets.length - seen.size);
    assert.equal(statistics.reordered, reordered);
    assert.equal(statistics.lost, highest - Math.min(...seen) + 1 - seen.size);
  }
});

/** 0 to 99: a fifth of them missing, a fifth doubled, most of them near their place. */
function shuffled(random: () => number): number[] {
  const offsets: number[] = [];
  for (let offset = 0; offset < 100; offset++) {
    if (random() < 0.2) continue;
    offsets.splice(Math.max(0, offsets.length - Math.floor(random() * 4)), 0, offset);
    if (random() < 0.2) offsets.push(offset);
  }
  return offsets;
}

test("statistics: what is behind the window counts as doubled: nobody can tell any more", { timeout }, () => {
  const statistics = new StreamStatistics("anybody");
  statistics.add(0, 0, 0);
  statistics.add(10_000, 0, 0);
  assert.equal(statistics.add(1, 0, 0), false);
  assert.equal(statistics.add(9_000, 0, 0), true);
  const { received, lost, reordered, doubled } = statistics;
  assert.deepEqual({ received, lost, reordered, doubled }, { received: 3, lost: 9_998, reordered: 1, doubled: 1 });
});

test("statistics: 1,024 streams are counted apart, and the sums keep those before", { timeout }, () => {
  const statistics = new Statistics();
  for (let stream = 0; stream < 3_000; stream++) {
    for (const sequence of [0, 2, 2]) statistics.add("somebody", { kind: 1, stream, sequence, sentAtMs: 0 }, 0);
  }
  const { streams, ...sums } = statistics.counts();
  assert.equal(streams.length, 1_024);
  assert.deepEqual(sums, { received: 6_000, lost: 3_000, reordered: 0, doubled: 3_000 });
});

test("statistics: jitter as in RFC 3550 section 6.4.1, whatever the clocks are set to", { timeout }, () => {
  for (const offsetMs of [0, 3_600_000, -86_400_000]) {
    const statistics = new StreamStatistics("anybody");
    const transits = [10, 12, 9, 9, 30];
    for (const [index, transit] of transits.entries())
      statistics.add(index, index * 20, index * 20 + transit + offsetMs);
    let expected = 0;
    for (const difference of [2, 3, 0, 21]) expected += (difference - expected) / 16;
    assert.ok(Math.abs(statistics.jitterMs - expected) < 1e-6, `${statistics.jitterMs}, not ${expected}`);
  }
});

test("a header is read as it was written; anything else is none, and throws nothing", { timeout }, () => {
  const header = { kind: KIND.message, stream: 0xfffffffe, sequence: 0xffffffff, sentAtMs: 1_763_000_000_123.456 };
  const datagram = encodeDatagram(header, bytes("abc"));
  assert.deepEqual(parseHeader(datagram), header);
  assert.equal(text(datagram.subarray(HEADER_BYTES)), "abc");
  assert.equal(datagram.toString("hex", 0, 10), "d501fffffffeffffffff");
  for (let length = 0; length < HEADER_BYTES; length++)
    assert.equal(parseHeader(datagram.subarray(0, length)), undefined);
  for (const sentAtMs of [Number.NaN, Number.POSITIVE_INFINITY, -1, 9e15]) {
    assert.equal(parseHeader(encodeDatagram({ ...header, sentAtMs }, bytes(""))), undefined);
  }
  const random = createRandom(2);
  let ours = 0;
  for (let count = 0; count < 100_000; count++) {
    const noise = Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => random() * 256));
    if (parseHeader(noise)) ours++;
  }
  assert.equal(ours, 0);
});

test("limits that make no sense are refused", { timeout }, async () => {
  await assert.rejects(startReceiver({ host: "" }), TypeError);
  await assert.rejects(startReceiver({ maxQueuedBytes: -1 }), RangeError);
  await assert.rejects(openSender("udp://127.0.0.1:1", { timeoutMs: 1e12 }), RangeError);
});
