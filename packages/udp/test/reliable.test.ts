import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MAX_DATAGRAM_BYTES } from "../src/datagram.ts";
import { connect, startServer } from "../src/index.ts";
import { encodePacket, PACKET, PACKET_HEADER_BYTES, parsePacket } from "../src/reliable/packet.ts";
import { type Faults, startRelay } from "./relay.ts";
import { bytes, freeUrl, listen, serve, text } from "./support.ts";

const MAX_MESSAGE_BYTES = MAX_DATAGRAM_BYTES - PACKET_HEADER_BYTES;
const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 900_000 : 60_000;

/** A server that counts how often it did each thing, behind a bad network. */
async function serveBadly(t: TestContext, faults: Faults) {
  const done = new Map<string, number>();
  const { server, url } = await serve(t, {
    handler(message) {
      done.set(text(message), (done.get(text(message)) ?? 0) + 1);
      return message;
    },
  });
  const relay = await startRelay(t, url, faults);
  return { server, url: relay.url, relay, done };
}

test("10,000 of 10,000 requests are done exactly once, with 30 % lost and 30 % reordered each way", {
  timeout,
}, async (t) => {
  const faults = { seed: 1, lost: 0.3, reordered: 0.3, doubled: 0.05, damaged: 0.02 };
  const { server, url, relay, done } = await serveBadly(t, faults);
  const client = await connect(url, { timeoutMs: 60_000, waitMs: 60_000, maxInFlight: 256 });
  t.after(() => client.close());
  const count = 10_000;
  const times: number[] = [];
  const begunAt = performance.now();
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const message = `request ${index}`;
      assert.equal(text(await client.request(bytes(message))), message);
      times.push(performance.now());
    }),
  );
  const tookMs = performance.now() - begunAt;
  assert.equal(done.size, count);
  assert.deepEqual(new Set(done.values()), new Set([1]), "each exactly once");
  const { executed, doubled } = server.counts();
  assert.equal(executed, count);
  assert.ok(doubled > 0, "there were copies to suppress");
  const each = (relay.counts.passed / count).toFixed(1);
  t.diagnostic(`${count} of ${count} in ${(tookMs / 1_000).toFixed(1)} s, ${each} datagrams a request instead of 2`);
});

test("ten seeds: lost, reordered, doubled and damaged, and with one at a time always in order", {
  timeout,
}, async (t) => {
  const count = isHeavy ? 4_000 : 200;
  const seeds = Array.from({ length: 10 }, (_, index) => index + 1);
  const expected = Array.from({ length: count }, (_, index) => `${index}`);
  const runs = seeds.map(async (seed) => {
    const faults = { seed, lost: 0.1, reordered: 0.3, doubled: 0.2, damaged: 0.1 };
    const { server, url, relay, done } = await serveBadly(t, faults);
    const client = await connect(url, { timeoutMs: timeout, waitMs: timeout, maxInFlight: 1 });
    t.after(() => client.close());
    const replies = await Promise.all(expected.map((message) => client.request(bytes(message))));
    assert.deepEqual(replies.map(text), expected, `seed ${seed}`);
    assert.deepEqual([...done.keys()], expected, `in order, seed ${seed}`);
    assert.deepEqual(new Set(done.values()), new Set([1]), `each exactly once, seed ${seed}`);
    assert.ok(relay.counts.damaged > 0 && server.counts().malformed > 0, "damaged ones were dropped");
    return relay.counts.passed;
  });
  const passed = (await Promise.all(runs)).reduce((sum, one) => sum + one);
  t.diagnostic(`${passed} datagrams, ${seeds.length * count} requests done exactly once, in order`);
});

test("a message of any length goes there and back; one that is too long is refused before it is sent", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  const client = await connect(url);
  t.after(() => client.close());
  for (const length of [0, 1, 1_200, MAX_MESSAGE_BYTES]) {
    const message = new Uint8Array(length).map((_, index) => index * 31);
    assert.deepEqual(Buffer.from(await client.request(message)), Buffer.from(message), `${length} bytes`);
  }
  await assert.rejects(client.request(new Uint8Array(MAX_MESSAGE_BYTES + 1)), {
    code: "EMSGSIZE",
    datagramBytes: 65_508,
  });
});

test("a handler that throws, or replies with too much, is told to the client; it is not called again", {
  timeout,
}, async (t) => {
  let calls = 0;
  const { url, events } = await serve(t, {
    handler(message) {
      calls++;
      if (text(message) === "long") return new Uint8Array(MAX_MESSAGE_BYTES + 1);
      throw new Error("Cannot do it: the secret is 42");
    },
  });
  const client = await connect(url);
  t.after(() => client.close());
  const failed = {
    code: "EPROTO",
    message: `Cannot send to ${url}: the server took the message, and its handler failed`,
  };
  await assert.rejects(client.request(bytes("bad")), failed);
  await assert.rejects(client.request(bytes("long")), failed);
  assert.equal(calls, 2);
  const errors = events.flatMap((event) => (event.type === "failed" ? [event.error.message] : []));
  assert.deepEqual(errors, ["Cannot do it: the secret is 42", "Cannot send datagram of 65508 bytes: limit is 65507"]);
});

test("a slow handler is called once, however often the client asks meanwhile", { timeout }, async (t) => {
  const { server, url } = await serve(t, { handler: (message) => sleep(400, message) });
  const client = await connect(url);
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("take your time"))), "take your time");
  assert.ok(server.counts().doubled >= 2, "it was asked again");
  assert.equal(server.counts().executed, 1);
});

test("requests do not wait for each other", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: (message) => (text(message) === "slow" ? sleep(300, message) : message) });
  const client = await connect(url);
  t.after(() => client.close());
  const order: string[] = [];
  await Promise.all(["slow", "quick"].map(async (message) => order.push(text(await client.request(bytes(message))))));
  assert.deepEqual(order, ["quick", "slow"]);
});

test("a request gives up after timeoutMs or by its signal, and a reply that comes later is nobody's", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { handler: (message) => (text(message) === "late" ? sleep(150, message) : message) });
  const client = await connect(url);
  t.after(() => client.close());
  await assert.rejects(client.request(bytes("late"), { timeoutMs: 50 }), {
    code: "ETIMEDOUT",
    message: `Cannot send to ${url}: no reply came in time`,
  });
  const controller = new AbortController();
  const reason = new Error("not interested any more");
  const late = client.request(bytes("late"), { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(late, reason);
  await assert.rejects(client.request(bytes("?"), { signal: controller.signal }), reason);
  for (let count = 0; count < 20; count++) assert.equal(text(await client.request(bytes(`${count}`))), `${count}`);
});

test("a first request that is given up before the server has it does not harm the next one", { timeout }, async (t) => {
  const { url } = await serve(t);
  let isDeaf = false;
  const { url: way } = await listen(t, (socket, datagram, from) => {
    if (isDeaf) return;
    if (from.port === Number(new URL(url).port)) socket.send(datagram, client.port, client.address);
    else {
      client = from;
      socket.send(datagram, Number(new URL(url).port), "127.0.0.1");
    }
  });
  let client = { port: 0, address: "" };
  const asker = await connect(way);
  t.after(() => asker.close());
  isDeaf = true;
  await assert.rejects(asker.request(bytes("lost"), { timeoutMs: 50 }), { code: "ETIMEDOUT" });
  isDeaf = false;
  assert.equal(text(await asker.request(bytes("next"))), "next");
});

test("what waits without a reply is bounded", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: () => new Promise(() => {}), graceMs: 0 });
  const client = await connect(url, { maxInFlightBytes: 102_400, graceMs: 0 });
  const results = Promise.allSettled(Array.from({ length: 1_000 }, () => client.request(new Uint8Array(0))));
  await client.close();
  const codes = (await results).map((result) => (result.status === "rejected" ? result.reason.code : "fulfilled"));
  assert.equal(codes.filter((code) => code === "EPIPE").length, 100);
  assert.equal(codes.filter((code) => code === "ENOBUFS").length, 900);
});

test("a client that gave up on thousands of requests still gets on with the server", { timeout }, async (t) => {
  let isMute = true;
  const { url } = await serve(t, { handler: (message) => (isMute ? new Promise(() => {}) : message), graceMs: 0 });
  const client = await connect(url, { maxInFlight: 512 });
  t.after(() => client.close());
  for (let round = 0; round < 5; round++) {
    const options = { timeoutMs: 20 };
    await Promise.allSettled(Array.from({ length: 500 }, () => client.request(bytes("never"), options)));
  }
  isMute = false;
  assert.equal(text(await client.request(bytes("at last"))), "at last");
});

test("one request that takes long does not stop thousands beside it", { timeout }, async (t) => {
  let release = (_reply: Uint8Array) => {};
  const { url } = await serve(t, {
    handler: (message) =>
      text(message) === "slow"
        ? new Promise((resolve) => {
            release = resolve;
          })
        : message,
  });
  const client = await connect(url);
  t.after(() => client.close());
  const slow = client.request(bytes("slow"));
  await Promise.all(Array.from({ length: 5_000 }, () => client.request(bytes("quick"))));
  release(bytes("done"));
  assert.equal(text(await slow), "done");
});

test("the server forgets replies once the client has them, without being asked for more", { timeout }, async (t) => {
  const { server, url } = await serve(t, { maxHeldBytes: 300_000 });
  const client = await connect(url, { maxInFlight: 4 });
  t.after(() => client.close());
  // Far more than may be held at once: it is let go of as the client goes on.
  for (let count = 0; count < 100; count++) await client.request(new Uint8Array(50_000));
  assert.equal(server.counts().dropped, 0);
  const closedAt = performance.now();
  await client.close();
  await server.close();
  assert.ok(performance.now() - closedAt < 400, "it did not wait for anybody to fetch a reply");
});

test("above maxHeldBytes new requests are dropped and counted, and done when there is room", { timeout }, async (t) => {
  let running = 0;
  let most = 0;
  const { server, url, events } = await serve(t, {
    maxHeldBytes: 100_000,
    async handler(message) {
      most = Math.max(most, ++running);
      await sleep(5);
      running--;
      return message;
    },
  });
  const client = await connect(url, { maxInFlight: 8 });
  t.after(() => client.close());
  await Promise.all(Array.from({ length: 20 }, () => client.request(new Uint8Array(20_000))));
  assert.ok(most <= 5, `${most} at once`);
  assert.ok(server.counts().dropped > 0);
  assert.equal(server.counts().executed, 20);
  assert.ok(events.some(({ type }) => type === "dropped"));
});

test("more clients than maxSessions: a new one waits for 10 s, then the one silent for longest is forgotten and told", {
  timeout,
}, async (t) => {
  const { server, url } = await serve(t, { maxSessions: 2 });
  const clients = await Promise.all([connect(url), connect(url)]);
  t.after(() => Promise.all(clients.map((client) => client.close())));
  for (const client of clients) assert.equal(text(await client.request(bytes("hi"))), "hi");
  await assert.rejects(connect(url, { waitMs: 0 }), { code: "ETIMEDOUT" });
  assert.ok(server.counts().dropped > 0);

  const now = performance.now.bind(performance);
  t.mock.method(performance, "now", () => now() + 11_000);
  const third = await connect(url);
  t.after(() => third.close());
  assert.equal(text(await third.request(bytes("hi"))), "hi");
  assert.equal(server.counts().sessions, 2);
  // Which of the two was silent for longer is decided by their last acknowledgements.
  const results = await Promise.allSettled(clients.map((client) => client.request(bytes("remember me?"))));
  const codes = results.map((result) => (result.status === "rejected" ? result.reason.code : text(result.value)));
  assert.deepEqual(codes.sort(), ["ECONNRESET", "remember me?"]);
  assert.equal(server.counts().executed, 4);
});

test("connect() rejects at once with waitMs 0, for an address that is none, and when its signal aborts", {
  timeout,
}, async () => {
  const url = await freeUrl();
  await assert.rejects(connect(url, { waitMs: 0 }), {
    code: "ECONNREFUSED",
    message: `Cannot send to ${url}: nobody listens there`,
  });
  await assert.rejects(connect("tcp://127.0.0.1:1"), { code: "ERR_INVALID_URL" });
  const controller = new AbortController();
  const reason = new Error("changed my mind");
  await assert.rejects(connect(url, { signal: controller.signal, onEvent: () => controller.abort(reason) }), reason);
});

test("connect() gives up at the end of waitMs on a server that never knows its own token again", {
  timeout,
}, async (t) => {
  let welcomes = 0;
  const { url } = await listen(t, (socket, datagram, { port, address }) => {
    const token = `${welcomes++}`.padStart(12, "x");
    const number = parsePacket(datagram)?.number ?? 0;
    socket.send(encodePacket(PACKET.welcome, number, 0, token), port, address);
  });
  for (const waitMs of [0, 200]) {
    const start = performance.now();
    await assert.rejects(connect(url, { waitMs }), { code: "ETIMEDOUT" });
    assert.ok(performance.now() - start >= waitMs);
  }
  assert.ok(welcomes > 4);
});

test("an empty host, which would open it to the network, and a port that is taken are refused", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  await assert.rejects(startServer({ host: "" }), TypeError);
  await assert.rejects(startServer({ port: Number(new URL(url).port) }), { code: "EADDRINUSE" });
});

test("a request to a server that went away is told of it, and is done when one is back within its time", {
  timeout,
}, async (t) => {
  const { server, url } = await serve(t);
  const events: string[] = [];
  const client = await connect(url, { onEvent: ({ type }) => events.push(type) });
  t.after(() => client.close());
  await client.request(bytes("hello"));
  await server.close();
  const lost = assert.rejects(client.request(bytes("anybody?")), { code: "ECONNRESET" });
  await serve(t, { port: Number(new URL(url).port) });
  await lost;
  assert.equal(text(await client.request(bytes("next"))), "next");
  // On a busy machine the first answer may take longer than a try.
  const news = events.filter((type) => type !== "waiting");
  assert.deepEqual(news, ["connected", "disconnected", "connected"]);
});
