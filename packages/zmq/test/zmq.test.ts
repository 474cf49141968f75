import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { signalled, until } from "@ipc/core/testing";
import { Dealer, Reply, Request } from "zeromq";
import * as zmq from "../src/index.ts";
import { bytes, cutWire, fixture, freeUrl, record, serve, start, text } from "./support.ts";

const timeout = 20_000;

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(`${tmpdir()}/ipc-zmq-`);
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("request and reply: as the original, Hello and Message Received, with plain REQ and REP sockets as well", {
  timeout,
}, async (t) => {
  const server = await zmq.startServer();
  t.after(() => server.close());
  const plain = new Request({ linger: 0 });
  t.after(() => plain.close());
  plain.connect(server.url);
  await plain.send("Hello");
  assert.deepEqual((await plain.receive()).map(String), ["Message Received"]);

  const reply = new Reply({ linger: 0 });
  t.after(() => reply.close());
  await reply.bind("tcp://127.0.0.1:*");
  const client = await zmq.connect(reply.lastEndpoint ?? "");
  t.after(() => client.close());
  const asked = client.request(bytes("Hello"));
  assert.deepEqual((await reply.receive()).map(String), ["Hello"]);
  await reply.send("from a REP");
  assert.equal(text(await asked), "from a REP");
});

test("stop is answered and ends a server that allows it, and is a request like any other where it is off", {
  timeout,
}, async (t) => {
  const { url, told } = await serve(t, { allowStop: true });
  const client = await zmq.connect(url);
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("stop"))), "stop");
  await told("stopped");
  await assert.rejects(zmq.connect(url, { waitMs: 0 }), { code: "ECONNREFUSED" });

  const other = await serve(t);
  const patient = await zmq.connect(other.url);
  t.after(() => patient.close());
  assert.equal(text(await patient.request(bytes("stop"))), "stop");
  assert.equal(text(await patient.request(bytes("still here"))), "still here");
});

test("100 callers at once: requests go one by one, each gets its own reply, in order for each caller", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  const client = await zmq.connect(url);
  t.after(() => client.close());
  await Promise.all(
    Array.from({ length: 100 }, async (_, caller) => {
      for (let i = 0; i < 10; i++) {
        const message = `caller ${caller} request ${i}`;
        assert.equal(text(await client.request(bytes(message))), message);
      }
    }),
  );
});

test("a handler that throws: the sender is told that, not why; the log is told why", { timeout }, async (t) => {
  const { url, told } = await serve(t, {
    handler() {
      throw new Error("a secret");
    },
  });
  const client = await zmq.connect(url);
  t.after(() => client.close());
  await assert.rejects(client.request(bytes("?")), {
    code: "ERR_HANDLER",
    message: "Cannot answer request: the handler failed",
  });
  assert.equal((await told("failed")).error.message, "a secret");
});

test("a reply above the limit is an error, a request above it is not sent, what is no Uint8Array neither", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { maxFrameBytes: 100, handler: () => new Uint8Array(101) });
  const client = await zmq.connect(url, { maxFrameBytes: 50 });
  t.after(() => client.close());
  await assert.rejects(client.request(bytes("?")), { code: "ERR_FRAME_TOO_LARGE" });
  await assert.rejects(client.request(new Uint8Array(51)), {
    code: "ERR_FRAME_TOO_LARGE",
    frameBytes: 51,
    maxFrameBytes: 50,
  });
  // As a program that is not type-checked would call it.
  await assert.rejects(client.request("text" as unknown as Uint8Array), TypeError);
});

test("a late reply is not taken for the next request's", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: (message) => (text(message) === "late" ? sleep(150, message) : message) });
  const client = await zmq.connect(url, { timeoutMs: 100, tries: 1 });
  t.after(() => client.close());
  await assert.rejects(client.request(bytes("late")), {
    code: "ETIMEDOUT",
    message: `Cannot get reply from ${url}: none came in 1 tries of 100 ms`,
  });
  for (let i = 0; i < 10; i++) assert.equal(text(await client.request(bytes(`next ${i}`))), `next ${i}`);
});

test("requests that wait are bounded, and close() lets what is owed come, then refuses", { timeout }, async (t) => {
  const gate = signalled<Uint8Array>();
  const { url } = await serve(t, { handler: () => gate.promise });
  const client = await zmq.connect(url, { maxQueued: 1 });
  const owed = client.request(bytes("owed"));
  await assert.rejects(client.request(bytes("one too many")), { code: "ENOBUFS" });
  const closed = Promise.all([client.close(), client.close()]);
  await assert.rejects(client.request(bytes("too late")), { code: "EPIPE" });
  gate.resolve(bytes("reply"));
  assert.equal(text(await owed), "reply");
  await closed;

  const stuck = await serve(t, { handler: () => new Promise(() => {}), graceMs: 50 });
  const hasty = await zmq.connect(stuck.url, { graceMs: 50 });
  const hopeless = assert.rejects(hasty.request(bytes("?")), { code: "ECONNRESET" });
  await hasty.close();
  await hopeless;
});

test("maxInFlight: further requests wait unread, and are answered when there is room", { timeout }, async (t) => {
  const gate = signalled<Uint8Array>();
  let begun = 0;
  const { url } = await serve(t, {
    maxInFlight: 2,
    handler() {
      begun++;
      return gate.promise;
    },
  });
  const clients = await Promise.all(Array.from({ length: 5 }, () => zmq.connect(url)));
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const replies = clients.map((client) => client.request(bytes("?")));
  await until(() => begun === 2);
  gate.resolve(bytes("at last"));
  assert.deepEqual((await Promise.all(replies)).map(text), Array(5).fill("at last"));
});

test("addresses and limits that make no sense are refused", { timeout }, async (t) => {
  for (const url of ["65432", "tcp://127.0.0.1", "udp://127.0.0.1:1", "ipc://"]) {
    await assert.rejects(zmq.connect(url), { code: "ERR_INVALID_URL", name: "TypeError" });
    await assert.rejects(zmq.startServer({ url }), { code: "ERR_INVALID_URL" });
  }
  for (const wrong of [0, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await assert.rejects(zmq.startServer({ maxFrameBytes: wrong }), RangeError);
    await assert.rejects(zmq.startServer({ highWaterMark: wrong }), RangeError);
  }
  await assert.rejects(zmq.startServer({ graceMs: -1 }), RangeError);
  const { url } = await serve(t);
  await assert.rejects(zmq.startServer({ url }), { code: "EADDRINUSE" });
  await assert.rejects(zmq.startServer({ url: "tcp://203.0.113.1:0" }), { code: "EADDRNOTAVAIL" });
  await assert.rejects(zmq.connect(await freeUrl(), { waitMs: 100 }), { code: "ECONNREFUSED" });
});

test("ipc://: the same over a path, for its owner only; a live one is not taken over, a dead one is, a file never", {
  timeout,
}, async (t) => {
  if (process.platform === "win32") return t.skip("needs a system with Unix sockets");
  const folder = await makeFolder(t);
  const url = `ipc://${folder}/zmq.sock`;
  const { server } = await serve(t, { url });
  assert.equal(server.url, url);
  assert.equal((await stat(`${folder}/zmq.sock`)).mode & 0o777, 0o600);
  const client = await zmq.connect(url);
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("hello"))), "hello");
  await assert.rejects(zmq.startServer({ url }), {
    code: "EADDRINUSE",
    message: `Cannot listen on ${url}: the path is taken`,
  });
  assert.equal(text(await client.request(bytes("still here"))), "still here");

  const killed = start(t, "server", [`ipc://${folder}/dead.sock`]);
  await killed.ready;
  await killed.stop("SIGKILL");
  await serve(t, { url: `ipc://${folder}/dead.sock` });
  await writeFile(`${folder}/letter.txt`, "dear reader");
  await assert.rejects(zmq.startServer({ url: `ipc://${folder}/letter.txt` }), { code: "ENOTSOCK" });
  assert.equal(await readFile(`${folder}/letter.txt`, "utf8"), "dear reader");
  await assert.rejects(zmq.startServer({ url: `ipc://${folder}/none/x` }), { code: "ENOENT" });
  await assert.rejects(zmq.startServer({ url: `ipc://${folder}/${"x".repeat(200)}` }), { code: "ENAMETOOLONG" });
});

test("publish and subscribe: the first message is not lost, only matching topics come, numbered by topic", {
  timeout,
}, async (t) => {
  for (let round = 0; round < 20; round++) {
    const publisher = await zmq.startPublisher();
    t.after(() => publisher.close());
    const subscription = await zmq.subscribe(publisher.url, { topics: ["news"] });
    t.after(() => subscription.close());
    await publisher.waitForSubscribers("news.sport", 1);
    await publisher.publish("weather", bytes("rain"));
    await publisher.publish("news.sport", bytes("first"));
    await publisher.publish("news.sport", bytes("second"));
    const received: string[] = [];
    for await (const { topic, number, message } of subscription) {
      received.push(`${topic} ${number} ${text(message)}`);
      if (received.length === 2) break;
    }
    assert.deepEqual(received, ["news.sport 1 first", "news.sport 2 second"]);
  }
});

test("a publisher counts subscriptions, also when they end and when a subscriber is killed", { timeout }, async (t) => {
  const recorded = record();
  const publisher = await zmq.startPublisher({ onEvent: recorded.onEvent });
  t.after(() => publisher.close());
  const counts = () => recorded.events.flatMap((event) => (event.type === "subscribed" ? [event.count] : []));
  const subscription = await zmq.subscribe(publisher.url, { topics: ["a"] });
  await publisher.waitForSubscribers("a", 1);
  const victim = start(t, "pub-sub-subscriber", [publisher.url, "--topic", "a"]);
  await publisher.waitForSubscribers("a", 2);
  await victim.stop("SIGKILL");
  await until(() => counts().length === 3);
  await subscription.close();
  await until(() => counts().length === 4);
  assert.deepEqual(counts(), [1, 2, 1, 0]);
});

test("a slow subscriber misses messages above the high-water marks, and is told how many", { timeout }, async (t) => {
  const publisher = await zmq.startPublisher({ highWaterMark: 10 });
  t.after(() => publisher.close());
  const { onEvent, events } = record();
  const subscription = await zmq.subscribe(publisher.url, { highWaterMark: 10, onEvent });
  t.after(() => subscription.close());
  await publisher.waitForSubscribers("x", 1);
  const iterator = subscription[Symbol.asyncIterator]();
  const published = 2_000;
  // Far more than the marks and the system's buffers hold, and nobody reads.
  for (let i = 0; i < published; i++) await publisher.publish("x", new Uint8Array(65_536));
  let received = 0;
  let last = 0n;
  const read = async () => {
    const { value } = await iterator.next();
    received++;
    last = value?.number ?? last;
  };
  while (received < 10) await read();
  // What still waits comes, and then one that tells about the gap before it.
  const end = publishUntilRead();
  while (last <= BigInt(published)) await read();
  await end;
  async function publishUntilRead() {
    while (last <= BigInt(published)) {
      await publisher.publish("x", bytes("are you there?"));
      await sleep(20);
    }
  }
  const lost = events.reduce((sum, event) => sum + (event.type === "lost" ? event.count : 0), 0);
  assert.ok(lost > 0, "some were dropped");
  assert.equal(BigInt(received + lost), last, "what came and what was told as lost is all there was");
});

test("push and pull: a ventilator, two workers and a sink, plain and packed; nothing is lost, work is shared", {
  timeout,
}, async (t) => {
  for (const isPacked of [false, true]) {
    const ventilator = await zmq.startPush({ isPacked });
    const sink = await zmq.startPull();
    t.after(() => Promise.all([ventilator.close(), sink.close()]));
    const done = await Promise.all([runWorker(t, ventilator.url, sink.url), runWorker(t, ventilator.url, sink.url)]);
    await ventilator.waitForPeers(2);
    const count = isPacked ? 20_000 : 2_000;
    const results = new Set<string>();
    const collected = (async () => {
      for await (const batch of sink) {
        for (const result of batch) results.add(text(result));
        if (results.size === count) return;
      }
    })();
    for (let task = 0; task < count; task++) await ventilator.send(bytes(`${task}`));
    await collected;
    assert.equal(results.size, count);
    await ventilator.close();
    await assert.rejects(async () => ventilator.send(bytes("too late")), { code: "EPIPE" });
    assert.ok(done.every(({ tasks }) => tasks > 0));
  }
});

async function runWorker(t: TestContext, from: string, to: string) {
  const results = await zmq.connectPush(to);
  const tasks = await zmq.connectPull(from);
  t.after(async () => {
    await tasks.close();
    await results.close();
  });
  const counter = { tasks: 0 };
  void (async () => {
    for await (const batch of tasks) {
      for (const task of batch) await results.send(bytes(`${text(task)} done`));
      counter.tasks += batch.length;
    }
  })();
  return counter;
}

test("packs keep borders and order: empty, small, large and beside one another, also cut on the way", {
  timeout,
}, async (t) => {
  const recorded = record();
  const sink = await zmq.startPull({ onEvent: recorded.onEvent });
  t.after(() => sink.close());
  const pusher = await zmq.connectPush(await cutWire(t, sink.url, 7_919), { isPacked: true });
  const sizes = Array.from({ length: 3_000 }, (_, i) => (i % 500 === 0 ? 70_000 : i % 100 === 0 ? 5_000 : i % 97));
  const sending = (async () => {
    for (const size of sizes) await pusher.send(Buffer.alloc(size, size % 251));
    await pusher.close();
  })();
  const received: Uint8Array[] = [];
  for await (const batch of sink) {
    received.push(...batch);
    if (received.length >= sizes.length) break;
  }
  await sending;
  assert.deepEqual(
    received.map(({ length }) => length),
    sizes,
  );
  assert.ok(received.every((message) => message.every((byte) => byte === message.length % 251)));
  assert.equal(recorded.count("dropped"), 0);
});

test("what is no pack is dropped and told, and what comes after it is read", { timeout }, async (t) => {
  const { Push } = await import("zeromq");
  const { onEvent, count } = record();
  const sink = await zmq.startPull({ onEvent });
  t.after(() => sink.close());
  const foreign = new Push({ linger: 0 });
  t.after(() => foreign.close());
  foreign.connect(sink.url);
  await foreign.send(["pack", Buffer.from("000000", "hex")]);
  await foreign.send(["pack", Buffer.from("7fffffff00", "hex")]);
  await foreign.send(["sack", "x"]);
  await foreign.send(["pack", "x", "y"]);
  await foreign.send("good");
  for await (const batch of sink) {
    assert.deepEqual(batch.map(text), ["good"]);
    break;
  }
  assert.equal(count("dropped"), 4);
});

test("100 callers push at once against a full high-water mark: no EBUSY, all come, in order for each caller", {
  timeout,
}, async (t) => {
  const sink = await zmq.startPull({ highWaterMark: 1 });
  t.after(() => sink.close());
  const pusher = await zmq.connectPush(sink.url, { highWaterMark: 1 });
  t.after(() => pusher.close());
  const each = process.env["IPC_HEAVY"] === "1" ? 1_000 : 50;
  const sending = Promise.all(
    Array.from({ length: 100 }, async (_, caller) => {
      for (let i = 0; i < each; i++) await pusher.send(Buffer.alloc(i % 10 === 0 ? 20_000 : 8).fill(`${caller}:${i};`));
    }),
  );
  const next = new Map<string, number>();
  let received = 0;
  for await (const batch of sink) {
    for (const message of batch) {
      const [, caller = "", i] = /^(\d+):(\d+)/.exec(Buffer.from(message).toString("latin1", 0, 8)) ?? [];
      assert.equal(Number(i), next.get(caller) ?? 0);
      next.set(caller, Number(i) + 1);
    }
    received += batch.length;
    if (received === 100 * each) break;
  }
  await sending;
});

test("a broker hands requests to the worker that has been idle longest", { timeout }, async (t) => {
  const broker = await zmq.startBroker({ heartbeatMs: 100 });
  t.after(() => broker.close());
  const workers = await Promise.all(
    ["a", "b", "c"].map((name) =>
      zmq.startWorker(broker.urls[1], { heartbeatMs: 100, handler: () => Buffer.from(name) }),
    ),
  );
  t.after(() => Promise.all(workers.map((worker) => worker.close())));
  const client = await zmq.connect(broker.url);
  t.after(() => client.close());
  const order: string[] = [];
  for (let i = 0; i < 12; i++) order.push(text(await client.request(bytes("?"))));
  assert.equal(new Set(order.slice(-3)).size, 3);
  assert.deepEqual(order.slice(6, 9), order.slice(9, 12), "each in its turn");
});

test("a request goes to another worker when its worker is killed: within 3 beats", { timeout }, async (t) => {
  const recorded = record();
  const broker = await zmq.startBroker({ heartbeatMs: 100, onEvent: recorded.onEvent });
  t.after(() => broker.close());
  const victim = start(t, fixture("broker-worker"), [broker.urls[1], "victim", "60000"]);
  await recorded.told("worker-ready");
  const client = await zmq.connect(broker.url, { timeoutMs: 10_000 });
  t.after(() => client.close());
  const reply = client.request(bytes("job"));
  await victim.waitForLine(/begins job/);
  const other = await zmq.startWorker(broker.urls[1], { heartbeatMs: 100, handler: () => bytes("by the other") });
  t.after(() => other.close());
  await until(() => recorded.count("worker-ready") === 2);
  const killedAt = performance.now();
  await victim.stop("SIGKILL");
  assert.equal(text(await reply), "by the other");
  const tookMs = performance.now() - killedAt;
  assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
  assert.equal(recorded.count("worker-gone"), 1);
});

test("a worker that was taken for dead and answers late has not answered its next request by that", {
  timeout,
}, async (t) => {
  const recorded = record();
  const broker = await zmq.startBroker({ heartbeatMs: 100, onEvent: recorded.onEvent });
  t.after(() => broker.close());
  const patient = { timeoutMs: 15_000, tries: 1 };
  const clients = await Promise.all([zmq.connect(broker.url, patient), zmq.connect(broker.url, patient)]);
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const stalled = new Dealer({ linger: 0 });
  stalled.connect(broker.urls[1]);
  await stalled.send("READY");
  const first = clients[0].request(bytes("first"));
  const [, firstId = ""] = await stalled.receive();
  await recorded.told("worker-gone");
  const gate = signalled<Uint8Array>();
  const worker = await zmq.startWorker(broker.urls[1], {
    heartbeatMs: 100,
    handler: (request) => (text(request) === "first" ? gate.promise : bytes("second by the worker")),
  });
  t.after(() => worker.close());
  await until(() => recorded.count("worker-ready") === 2);
  await stalled.send("READY");
  const second = clients[1].request(bytes("second"));
  assert.equal(String((await stalled.receive())[2]), "second");
  await stalled.send(["REPLY", firstId, "first, late"]);
  assert.equal(text(await first), "first, late");
  stalled.close();
  gate.resolve(bytes("first, in vain"));
  assert.equal(text(await second), "second by the worker");
});

test("a broker refuses what is malformed or one too many, and gives up a request that kills its workers", {
  timeout,
}, async (t) => {
  const broker = await zmq.startBroker({ heartbeatMs: 100, maxQueued: 1, maxTries: 2 });
  t.after(() => broker.close());
  // Patient, since a request that is asked again is one more.
  const patient = { timeoutMs: 15_000 };
  const [one, other] = await Promise.all([zmq.connect(broker.url, patient), zmq.connect(broker.url)]);
  t.after(() => Promise.all([one.close(), other.close()]));
  const poison = assert.rejects(one.request(bytes("poison")), { code: "ERR_WORKERS_LOST" });
  for (let i = 0; i < 2; i++) {
    const victim = start(t, fixture("broker-worker"), [broker.urls[1], "victim", "60000"]);
    await victim.waitForLine(/begins poison/);
    if (i === 0) await assert.rejects(other.request(bytes("one too many")), { code: "ENOBUFS" });
    await victim.stop("SIGKILL");
  }
  await poison;
  const plain = new Request({ linger: 0 });
  t.after(() => plain.close());
  plain.connect(broker.url);
  await plain.send(["two", "bodies"]);
  assert.equal(String((await plain.receive())[0]), "ERR_REQUEST");
});

test("a worker finishes what it is at when it is closed, and a broker's handler error reaches the client", {
  timeout,
}, async (t) => {
  const broker = await zmq.startBroker({ heartbeatMs: 100 });
  t.after(() => broker.close());
  const begun = signalled();
  const gate = signalled<Uint8Array>();
  const worker = await zmq.startWorker(broker.urls[1], {
    heartbeatMs: 100,
    handler(request) {
      if (text(request) === "bad") throw new Error("a secret");
      begun.resolve();
      return gate.promise;
    },
  });
  const client = await zmq.connect(broker.url);
  t.after(() => client.close());
  await assert.rejects(client.request(bytes("bad")), { code: "ERR_HANDLER" });
  const reply = client.request(bytes("good"));
  await begun.promise;
  const closed = worker.close();
  gate.resolve(bytes("finished"));
  await closed;
  assert.equal(text(await reply), "finished");
});

test("a worker goes on when the broker restarts, and a request that was in flight is asked again", {
  timeout,
}, async (t) => {
  const first = await zmq.startBroker({ heartbeatMs: 100, graceMs: 0 });
  const [url, workersUrl] = first.urls;
  const worker = await zmq.startWorker(workersUrl, { heartbeatMs: 100, handler: (message) => message });
  t.after(() => worker.close());
  const client = await zmq.connect(url, { timeoutMs: 500, tries: 10 });
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("one"))), "one");
  await first.close();
  const reply = client.request(bytes("two"));
  const second = await zmq.startBroker({ url, workersUrl, heartbeatMs: 100 });
  t.after(() => second.close());
  assert.equal(text(await reply), "two");
});

test("CURVE: who is on the allow-list is served, encrypted; strangers, plain clients and wrong servers are not", {
  timeout,
}, async (t) => {
  const [serverPair, friend, stranger] = await Promise.all([zmq.makeKeys(), zmq.makeKeys(), zmq.makeKeys()]);
  let handled = 0;
  const { url, told, count } = await serve(t, {
    curve: { secretKey: serverPair.secretKey, allowedKeys: [friend.publicKey] },
    handler(message) {
      handled++;
      return message;
    },
  });
  const serverKey = serverPair.publicKey;
  const client = await zmq.connect(url, { curve: { ...friend, serverKey } });
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("secret"))), "secret");

  const tries = process.env["IPC_HEAVY"] === "1" ? 1_000 : 5;
  for (let i = 0; i < tries; i++) {
    await assert.rejects(zmq.connect(url, { curve: { ...stranger, serverKey } }), { code: "EACCES" });
  }
  assert.match((await told("refused")).error.message, /this key is not allowed/);
  assert.ok(count("refused") >= tries);
  await assert.rejects(zmq.connect(url, { waitMs: 300 }), { code: "EPROTO" });
  await assert.rejects(zmq.connect(url, { waitMs: 300, curve: { ...friend, serverKey: stranger.publicKey } }), {
    code: "EPROTO",
  });
  assert.equal(handled, 1, "only the friend's request was read");
  assert.equal(text(await client.request(bytes("still here"))), "still here");
  await assert.rejects(zmq.connect(url, { curve: { ...friend, serverKey: "too short" } }), TypeError);
});

test("CURVE: every pattern takes keys, two servers in one process have lists of their own", { timeout }, async (t) => {
  const [server, one, two] = await Promise.all([zmq.makeKeys(), zmq.makeKeys(), zmq.makeKeys()]);
  const serverKey = server.publicKey;
  const listen = (allowed: zmq.KeyPair) => ({
    curve: { secretKey: server.secretKey, allowedKeys: [allowed.publicKey] },
  });
  const publisher = await zmq.startPublisher(listen(one));
  const sink = await zmq.startPull(listen(two));
  const broker = await zmq.startBroker({ ...listen(one), heartbeatMs: 100 });
  t.after(() => Promise.all([publisher.close(), sink.close(), broker.close()]));
  const subscription = await zmq.subscribe(publisher.url, { curve: { ...one, serverKey } });
  const pusher = await zmq.connectPush(sink.url, { curve: { ...two, serverKey } });
  const worker = await zmq.startWorker(broker.urls[1], { curve: { ...one, serverKey }, heartbeatMs: 100 });
  const client = await zmq.connect(broker.url, { curve: { ...one, serverKey } });
  t.after(() => Promise.all([subscription.close(), pusher.close(), worker.close(), client.close()]));
  assert.equal(text(await client.request(bytes("Hello"))), "Message Received");
  await publisher.waitForSubscribers("", 1);
  await publisher.publish("", bytes("news"));
  for await (const { message } of subscription) {
    assert.equal(text(message), "news");
    break;
  }
  await pusher.send(bytes("task"));
  for await (const batch of sink) {
    assert.deepEqual(batch.map(text), ["task"]);
    break;
  }
  await assert.rejects(zmq.subscribe(publisher.url, { curve: { ...two, serverKey } }), { code: "EACCES" });
  await assert.rejects(zmq.connectPush(sink.url, { curve: { ...one, serverKey } }), { code: "EACCES" });
});

test("Python's pyzmq talks to both ends", { timeout }, async (t) => {
  const run = promisify(execFile);
  // Debian's, which has the module: another Python in front of it may not.
  const python = "/usr/bin/python3";
  const hasModule = await run(python, ["-c", "import zmq"]).catch(() => undefined);
  if (!hasModule) return t.skip("needs python3-zmq");
  const count = process.env["IPC_HEAVY"] === "1" ? 1_000 : 100;
  const { url } = await serve(t);
  const ask = `import sys, zmq
socket = zmq.Context().socket(zmq.REQ)
socket.connect(sys.argv[1])
for i in range(${count}):
    socket.send_string(f"request {i}")
    assert socket.recv_string() == f"request {i}"
print("all answered")`;
  assert.equal((await run(python, ["-c", ask, url])).stdout, "all answered\n");

  const answer = `import sys, zmq
socket = zmq.Context().socket(zmq.REP)
socket.bind(sys.argv[1])
for i in range(${count}):
    socket.send(socket.recv())`;
  const theirs = await freeUrl();
  const answering = run(python, ["-c", answer, theirs]);
  const client = await zmq.connect(theirs);
  t.after(() => client.close());
  for (let i = 0; i < count; i++) assert.equal(text(await client.request(bytes(`request ${i}`))), `request ${i}`);
  await answering;
});
