import assert from "node:assert/strict";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import test from "node:test";
import { signalled, until } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import { type Client, connect, MAX_HOPS, type Peer, startPeer } from "../src/index.ts";
import {
  dial,
  frame,
  freeUrl,
  HELLO,
  impostor,
  message,
  portOf,
  range,
  readIds,
  serve,
  startLine,
  startRing,
  temporaryFolder,
} from "./support.ts";

const timeout = 60_000;
const TOKEN = "correct-horse-battery";

test("a message goes from b to a and back to b, after exactly two hops, and no further", { timeout }, async (t) => {
  const [a, b] = await startRing(t, ["a", "b"]);
  assert.ok(a && b);
  await b.peer.send({ three: 3, four: 4 }, { id: "1" });
  assert.deepEqual(b.received, [{ origin: "b", id: "1", hops: 2, body: { three: 3, four: 4 } }]);
  assert.deepEqual(a.received, []);
  assert.equal(a.count("passed"), 1);
  assert.equal(b.count("passed"), 0);
});

test("both peers send at once: each gets its own back, in order", { timeout }, async (t) => {
  const peers = await startRing(t, ["a", "b"]);
  await Promise.all(peers.map(({ peer }) => Promise.all(range(2_000).map((body) => peer.send(body)))));
  for (const { received } of peers) {
    assert.deepEqual(
      received.map(({ body }) => body),
      range(2_000),
    );
  }
});

test("regression: the original passed one message each way and then hung", { timeout }, async (t) => {
  const [, b] = await startRing(t, ["a", "b"]);
  assert.ok(b);
  for (const number of range(500)) await b.peer.send(number);
  assert.equal(b.received.length, 500);
});

test("regression: the original died unless program 1 started first", { timeout }, async (t) => {
  const url = await freeUrl();
  const b = await serve(t, { name: "b", next: url });
  const sent = b.peer.send("early");
  await b.told("waiting");
  await serve(t, { name: "a", port: portOf(url), next: b.url });
  await sent;
  assert.equal(b.count("waiting"), 1, "says once that it waits");
  assert.deepEqual(
    b.received.map(({ body }) => body),
    ["early"],
  );
});

test("regression: the original had no framing, so that two quick messages were one broken one", {
  timeout,
}, async (t) => {
  const { url, received } = await serve(t);
  const { socket, answered } = await dial(t, url);
  socket.write(Buffer.concat([frame(message("1", { three: 3 })), frame(message("2", { four: 4 }))]));
  assert.deepEqual(await answered(2), ["accepted", "accepted"]);
  assert.deepEqual(
    received.map(({ body }) => body),
    [{ three: 3 }, { four: 4 }],
  );
});

test("a message is answered when the last peer has delivered it, not before", { timeout }, async (t) => {
  const { promise: gate, resolve: open } = signalled();
  const began = signalled();
  const { client } = await startLine(t, {
    final: {
      onMessage() {
        began.resolve();
        return gate;
      },
    },
  });
  let isAnswered = false;
  const sent = client.send("patience").then(() => {
    isAnswered = true;
  });
  await began.promise;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(isAnswered, false);
  open();
  await sent;
});

test("any JSON is passed on as it was written, up to the limit", { timeout }, async (t) => {
  const { final, client } = await startLine(t);
  const bodies = [
    null,
    true,
    0,
    -1.5e300,
    "",
    "é — 漢 🙂 \u0000 \u2028",
    [],
    {},
    { a: [{ b: null }] },
    "x".repeat(1_000_000),
  ];
  for (const body of bodies) await client.send(body);
  assert.deepEqual(
    final.received.map(({ body }) => body),
    bodies,
  );
});

test("a relay does not write again what it read: numbers beyond 2^53 and spaces stay as they are", {
  timeout,
}, async (t) => {
  const { promise: passedOn, resolve } = signalled<Uint8Array>();
  const next = await impostor(t, (socket) => {
    socket.write(HELLO);
    const chunks: Uint8Array[] = [];
    socket.on("data", (chunk: Uint8Array) => {
      chunks.push(chunk);
      const wire = Buffer.concat(chunks);
      if (wire.includes("12345678901234567890")) resolve(wire);
    });
  });
  const relay = await serve(t, { name: "relay", next: next.url, graceMs: 0 });
  const { socket } = await dial(t, relay.url);
  const json = '{"hops":1,"origin": "hand", "id":"1","body":{"n": 12345678901234567890}}';
  socket.write(frame(json));
  const wire = Buffer.from(await passedOn).toString();
  assert.ok(wire.endsWith(json.replace('"hops":1', '"hops":2')), wire);
});

test("a relay that nobody watches reads no bodies: what is none is refused further on, and its sender is told", {
  timeout,
}, async (t) => {
  const final = await serve(t, { name: "final" });
  const relay = await startPeer({ name: "relay", next: final.url });
  t.after(() => relay.close());
  const { socket, answered } = await dial(t, relay.url);
  const head = '{"hops":1,"origin":"hand","id":';
  const bad = [`${head}"1","body":}`, `${head}"2","body":{"a":1}`, `${head}"3","body":1}}`, `${head}"4","body":"a`];
  // Words that come twice: what the relay read and what the last peer reads must be the same.
  bad.push(`${head}"5","body":1,"origin":"final"}`, `${head}"6","body":1,"id":"7"}`);
  for (const json of bad) socket.write(frame(json));
  const noUtf8 = Buffer.from(`${head}"8","body":"\u00ff\u00fe"}`, "latin1");
  socket.write(Buffer.concat([Uint8Array.of(0, 0, 0, noUtf8.length), noUtf8]));
  socket.write(frame(`${head}"9","body":"é"}`));
  const answers = await answered(bad.length + 2);
  assert.deepEqual(
    answers.map((answer) => answer.replace(/\d+/, "#")),
    [...Array(bad.length + 1).fill("Cannot read message of # bytes: it is no JSON"), "accepted"],
  );
  assert.deepEqual(
    final.received.map(({ id, body }) => [id, body]),
    [["9", "é"]],
  );
});

test("a message keeps its bytes over ten hops, and its words may be as long as they can", { timeout }, async (t) => {
  const end = await serve(t, { name: "end" });
  let { url } = end;
  for (const number of range(10)) {
    const relay = await startPeer({ name: `p${number}`, next: url });
    t.after(() => relay.close());
    url = relay.url;
  }
  const { socket, answered } = await dial(t, url);
  const word = "w".repeat(64);
  socket.write(frame(`{"hops":1,"origin":"${word}","id":"${word}","body":[1.0, 2]}`));
  socket.write(frame(`{"hops":1,"origin":"${word}w","id":"1","body":0}`));
  const [first, second] = await answered(2);
  assert.equal(first, "accepted");
  assert.match(second ?? "", /origin or id is missing or no word/);
  assert.deepEqual(end.received, [{ origin: word, id: word, hops: 11, body: [1, 2] }]);
});

test("one message that stays is no hindrance to 5,000 that pass it, and is answered at last", {
  timeout,
}, async (t) => {
  const { promise: gate, resolve: open } = signalled();
  const { client, final } = await startLine(t, {
    final: { onMessage: ({ body }) => (body === "stays" ? gate : undefined) },
  });
  const stays = client.send("stays");
  await Promise.all(range(5_000).map((body) => client.send(body)));
  assert.equal(final.received.length, 5_000);
  open();
  await stays;
});

test("what no JSON can say, what is too long and an id that is none are refused before they are sent", {
  timeout,
}, async (t) => {
  const { client, relay } = await startLine(t, { client: { maxFrameBytes: 100 } });
  const circle: unknown[] = [];
  circle.push(circle);
  for (const body of [undefined, () => {}, 10n, circle]) await assert.rejects(client.send(body), TypeError);
  await assert.rejects(client.send("x".repeat(100)), { code: "ERR_FRAME_TOO_LARGE" });
  for (const id of ["", "with space", "x".repeat(65), 'quo"te']) {
    await assert.rejects(client.send("?", { id }), RangeError);
  }
  await client.send("fits");
  assert.equal(relay.count("passed"), 1);
});

test("the same id is delivered once, whether it comes on one connection or on two", { timeout }, async (t) => {
  const { final, client, relay } = await startLine(t);
  await Promise.all([client.send("one", { id: "x" }), client.send("two", { id: "x" })]);
  const again = await connect(relay.url, { name: "driver" });
  t.after(() => again.close());
  await again.send("three", { id: "x" });
  const other = await connect(relay.url, { name: "other" });
  t.after(() => other.close());
  await other.send("four", { id: "x" });
  assert.deepEqual(
    final.received.map(({ origin, body }) => `${origin}: ${body}`),
    ["driver: one", "other: four"],
  );
});

test("ids are remembered up to the bound, and no longer than twice that", { timeout }, async (t) => {
  const { url, received } = await serve(t, { maxIds: 10 });
  const client = await connect(url);
  t.after(() => client.close());
  for (const id of range(10)) await client.send(id, { id });
  for (const id of range(10)) await client.send(id, { id });
  assert.equal(received.length, 10, "the last ten are known");
  for (const id of range(20, 10)) await client.send(id, { id });
  await client.send("0", { id: "0" });
  assert.equal(received.length, 31, "the first is not known any more");
});

test("a ring whose origin is gone: the message comes round once and is refused", { timeout }, async (t) => {
  const peers = await startRing(t, ["a", "b", "c"]);
  const [a] = peers;
  assert.ok(a);
  const client = await connect(a.url, { name: "stranger" });
  t.after(() => client.close());
  await assert.rejects(client.send("anybody?"), {
    code: "ERR_REFUSED",
    message: /^Cannot deliver message \S+: it came round in 3 hops, and nobody took it$/,
  });
  assert.deepEqual(
    peers.map(({ count }) => count("passed")),
    [1, 1, 1],
  );
});

test("a line that is longer than MAX_HOPS: the message is refused, all the way back", { timeout }, async (t) => {
  let { url } = await serve(t, { name: "end" });
  for (const number of range(MAX_HOPS)) ({ url } = await serve(t, { name: `p${number}`, next: url }));
  const client = await connect(url);
  t.after(() => client.close());
  await assert.rejects(client.send("too far"), {
    code: "ERR_REFUSED",
    message: /: it made 16 hops, and nobody took it$/,
  });
});

test("a handler that throws refuses its message: the sender is told why, others are not disturbed", {
  timeout,
}, async (t) => {
  const { client, final } = await startLine(t, {
    final: {
      onMessage({ body }) {
        if (body === "bad") throw new Error("Cannot do bad");
      },
    },
  });
  const results = await Promise.allSettled(["good", "bad", "good"].map((body) => client.send(body)));
  assert.deepEqual(
    results.map((result) => (result.status === "rejected" ? result.reason.message.replace(/ \S+:/, " ID:") : "ok")),
    ["ok", "Cannot deliver message ID: Cannot do bad", "ok"],
  );
  // Not remembered as delivered: the same again may work.
  assert.equal(final.received.length, 2);
});

test("answers need not wait for each other: two peers that flood each other through small queues do not block", {
  timeout,
}, async (t) => {
  const options = { windowBytes: 5_000 };
  for (const names of [
    ["a", "b"],
    ["a", "b", "c"],
    ["a", "b", "c", "d", "e"],
  ]) {
    const peers = await startRing(t, names, options);
    await Promise.all(peers.map(({ peer }) => inTurns(peer, 300, 20)));
    for (const { received } of peers) assert.equal(received.length, 300);
  }
});

test("the queue is bounded: what is on its way and what waits in line, then ENOBUFS", { timeout }, async (t) => {
  const { promise: gate, resolve: open } = signalled();
  let handled = 0;
  const { url, received } = await serve(t, {
    onMessage() {
      handled++;
      return gate;
    },
  });
  const client = await connect(url, { windowBytes: 6_200 });
  t.after(() => client.close());
  // 512 and a frame of less than 70: ten fit, sixteen times as many wait.
  const results = range(300).map((body) => client.send(body));
  const settled = Promise.allSettled(results);
  await until(() => handled === 10);
  open();
  const codes = (await settled).map((result) => (result.status === "rejected" ? result.reason.code : "delivered"));
  const delivered = codes.filter((code) => code === "delivered").length;
  assert.equal(delivered, received.length);
  assert.ok(delivered >= 160 && delivered <= 190, `${delivered} of 300`);
  assert.ok(codes.slice(delivered).every((code) => code === "ENOBUFS"));
});

test("a relay with a full queue slows its senders and loses nothing", { timeout }, async (t) => {
  const { promise: gate, resolve: open } = signalled();
  const final = await serve(t, { onMessage: () => gate });
  const relay = await serve(t, { name: "relay", next: final.url, windowBytes: 2_000 });
  const clients = await Promise.all(range(4).map((name) => connect(relay.url, { name, windowBytes: 100_000 })));
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const sent = clients.map((client) => Promise.all(range(50).map((id) => client.send("x".repeat(2_000), { id }))));
  // 32,000 bytes, and a chunk for each connection.
  await until(() => relay.count("passed") >= 10);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const passed = relay.count("passed");
  assert.ok(passed < 140, `${passed} of 200 were taken`);
  open();
  await Promise.all(sent);
  assert.equal(final.received.length, 200);
});

test("the next peer is cut off in the middle: what has no answer is sent again, nothing is lost or doubled", {
  timeout,
}, async (t) => {
  const final = await serve(t);
  const url = await freeUrl();
  let relay = await startPeer({ name: "relay", port: portOf(url), next: final.url });
  const client = await connect(url);
  t.after(() => client.close());
  const sent = inTurns(client, 3_000, 300);
  for (const received of [500, 1_000, 2_000]) {
    await final.until(() => final.received.length >= received);
    // As a crash does: no grace for what is on its way.
    await relay.close();
    relay = await startPeer({ name: "relay", port: portOf(url), next: final.url });
  }
  await sent;
  await relay.close();
  assert.equal(new Set(final.received.map(({ body }) => body)).size, 3_000);
  assert.equal(final.received.length, 3_000);
});

test("logFile: what was delivered is known after a restart; half a line at its end is not", { timeout }, async (t) => {
  const logFile = join(await temporaryFolder(t), "ids");
  const first = await serve(t, { logFile });
  const client = await connect(first.url);
  await Promise.all(range(100).map((id) => client.send(id, { id })));
  await client.close();
  await first.peer.close();
  assert.deepEqual(await readIds(logFile), range(100));
  await appendFile(logFile, "77 client");

  const second = await serve(t, { logFile, port: portOf(first.url) });
  const again = await connect(first.url);
  t.after(() => again.close());
  await Promise.all(range(103).map((id) => again.send(id, { id })));
  await again.send("77th", { id: "770" });
  assert.deepEqual(
    second.received.map(({ body }) => body),
    ["100", "101", "102", "77th"],
  );
  assert.deepEqual(await readIds(logFile), [...range(103), "770"]);
});

test("logFile: who sends again before the id is in the file gets no answer before that", { timeout }, async (t) => {
  const logFile = join(await temporaryFolder(t), "ids");
  const { url, received } = await serve(t, { logFile });
  const { socket, answers, answered } = await dial(t, url);
  socket.write(Buffer.concat(range(50).flatMap((id) => [frame(message(id)), frame(message(id))])));
  await answered(1);
  // Answered at once or together: never one that is not in the file.
  const inFile = new Set(await readIds(logFile));
  for (const [index] of Object.entries(answers)) assert.ok(inFile.has(`${Math.floor(Number(index) / 2)}`), index);
  await answered(100);
  assert.equal(received.length, 50);
});

test("logFile: it is written anew when it has grown", { timeout }, async (t) => {
  const logFile = join(await temporaryFolder(t), "ids");
  await writeFile(
    logFile,
    range(20_000)
      .map((id) => `${id} client\n`)
      .join(""),
  );
  const { url } = await serve(t, { logFile, maxIds: 100 });
  const client = await connect(url);
  t.after(() => client.close());
  await client.send("one more", { id: "more" });
  // The next is written when that is done.
  await client.send("and more", { id: "and-more" });
  const ids = await readIds(logFile);
  assert.deepEqual(ids.slice(-3), ["19999", "more", "and-more"]);
  assert.ok((await readFile(logFile, "utf8")).length < 10_000);
});

test("logFile: a folder is refused, and leaves no server behind", { timeout }, async (t) => {
  const url = await freeUrl();
  await assert.rejects(startPeer({ logFile: await temporaryFolder(t), port: portOf(url) }), { code: "EISDIR" });
  await serve(t, { port: portOf(url) });
});

test("logFile: a file of somebody else's is refused and left as it is", { timeout }, async (t) => {
  const logFile = join(await temporaryFolder(t), "notes.txt");
  for (const text of [
    "To do today:\n- buy milk",
    "no end of line, and more than one word",
    `a b\n${"x".repeat(2_000_000)}`,
  ]) {
    await writeFile(logFile, text);
    await assert.rejects(startPeer({ logFile }), {
      code: "ERR_NO_DELIVERY_LOG",
      message: `Cannot use ${logFile}: it is no list of delivered ids, and is left as it is`,
    });
    assert.equal(await readFile(logFile, "utf8"), text);
  }
});

test("connect() rejects at once with waitMs 0, after waitMs otherwise, and for an address that is none", {
  timeout,
}, async () => {
  const url = await freeUrl();
  await assert.rejects(connect(url, { waitMs: 0 }), {
    code: "ECONNREFUSED",
    message: `Cannot connect to ${url}: nobody listens there`,
  });
  await assert.rejects(connect(url, { waitMs: 100 }), { code: "ECONNREFUSED" });
  await assert.rejects(connect("127.0.0.1:9903"), { code: "ERR_INVALID_URL", name: "TypeError" });
  const controller = new AbortController();
  const reason = new Error("changed my mind");
  await assert.rejects(connect(url, { signal: controller.signal, onEvent: () => controller.abort(reason) }), reason);
});

test("close() of the client lets answers come, then refuses messages; after graceMs it gives up", {
  timeout,
}, async (t) => {
  const { promise: gate, resolve: open } = signalled();
  const began = signalled();
  const { url } = await serve(t, {
    graceMs: 0,
    onMessage({ body }) {
      began.resolve();
      return body === "stuck" ? new Promise(() => {}) : gate;
    },
  });
  const client = await connect(url);
  const owed = client.send("owed");
  await began.promise;
  const closing = Promise.all([client.close(), client.close()]);
  open();
  await Promise.all([owed, closing]);
  await assert.rejects(client.send("too late"), { code: "EPIPE" });

  const hasty = await connect(url, { graceMs: 50 });
  const hopeless = assert.rejects(hasty.send("stuck"), { code: "EPIPE" });
  await hasty.close();
  await hopeless;
});

test("close() of a peer answers what it has taken, and may be called twice", { timeout }, async (t) => {
  const { promise: gate, resolve: open } = signalled();
  const began = signalled();
  const { client, relay, final } = await startLine(t, {
    final: {
      onMessage() {
        began.resolve();
        return gate;
      },
    },
  });
  const sent = client.send("begun");
  await began.promise;
  const closing = Promise.all([final.peer.close(), relay.peer.close(), relay.peer.close()]);
  open();
  await Promise.all([sent, closing]);
  await assert.rejects(connect(relay.url, { waitMs: 0 }), { code: "ECONNREFUSED" });
});

test("a peer without a next one cannot send", { timeout }, async (t) => {
  const { peer } = await serve(t);
  await assert.rejects(peer.send("where to?"), {
    code: "ENOTCONN",
    message: "Cannot send message: a has no next peer",
  });
});

test("startPeer() is not opened to a network without a token, unless insecure", { timeout }, async (t) => {
  await assert.rejects(startPeer({ host: "0.0.0.0" }), { code: "ERR_NO_TOKEN" });
  for (const options of [{ token: TOKEN }, { insecure: true }]) {
    const { url } = await serve(t, { host: "0.0.0.0", ...options });
    assert.match(url, /^tcp:\/\/0\.0\.0\.0:/);
  }
});

test("with a token: who shows it is let in, all along the line", { timeout }, async (t) => {
  const { final, client } = await startLine(t, {
    final: { token: TOKEN },
    relay: { token: TOKEN },
    client: { token: TOKEN },
  });
  await client.send("one");
  assert.deepEqual(
    final.received.map(({ body }) => body),
    ["one"],
  );
});

test("with a token: who does not show it is told so, and nothing of it is taken", { timeout }, async (t) => {
  const { url, received, events, told } = await serve(t, { token: TOKEN });
  const starts = [frame(message("1")), frame({ token: `${TOKEN}x` }), frame("[]"), HELLO, Buffer.from("GET / HTTP")];
  for (const start of [...starts, new Uint8Array(100_000)]) {
    const socket = connectSocket(parseAddress(url, "tcp"));
    socket.on("error", () => {}).write(Buffer.concat([start, frame({ token: TOKEN }), frame(message("2"))]));
    assert.equal(await text(socket), '\0\0\0\x18{"denied":"wrong token"}');
  }
  assert.equal((await told("dropped")).error.message, "Cannot let caller in: wrong token");
  for (const token of [undefined, `${TOKEN}x`]) {
    const error = { code: "ERR_WRONG_TOKEN", message: `Cannot connect to ${url}: it wants a token` };
    await assert.rejects(connect(url, { token }), error);
  }
  const relay = await serve(t, { next: url });
  assert.match((await relay.told("waiting")).error.message, /it wants a token$/);
  assert.deepEqual(received, []);
  assert.ok(events.every(({ type }) => type === "connected" || type === "dropped"));
});

test("who waits for a peer that turns out to want a token does not wait on", { timeout }, async (t) => {
  const url = await freeUrl();
  const events: string[] = [];
  const waiting = signalled<void>();
  const refused = assert.rejects(
    connect(url, {
      onEvent({ type }) {
        events.push(type);
        waiting.resolve();
      },
    }),
    { code: "ERR_WRONG_TOKEN" },
  );
  await waiting.promise;
  await serve(t, { port: portOf(url), token: TOKEN });
  await refused;
  assert.deepEqual(events, ["waiting", "waiting"]);
});

test("a token that nobody wants is ignored", { timeout }, async (t) => {
  const { url, received } = await serve(t);
  const client = await connect(url, { token: TOKEN });
  t.after(() => client.close());
  await client.send("one");
  assert.equal(received.length, 1);
});

test("startPeer() rejects when the port is taken, and names, addresses and limits that make no sense", {
  timeout,
}, async (t) => {
  const { url } = await serve(t);
  await assert.rejects(startPeer({ port: portOf(url), next: url }), { code: "EADDRINUSE" });
  await assert.rejects(startPeer({ next: "9904" }), { code: "ERR_INVALID_URL" });
  await assert.rejects(startPeer({ name: "two words" }), RangeError);
  await assert.rejects(startPeer({ maxFrameBytes: 0 }), RangeError);
  await assert.rejects(startPeer({ windowBytes: 0 }), RangeError);
  await assert.rejects(startPeer({ maxIds: 0 }), RangeError);
  await assert.rejects(startPeer({ token: "short" }), RangeError);
  await assert.rejects(connect(url, { token: "short" }), RangeError);
  await assert.rejects(startPeer({ host: "", insecure: true }), TypeError);
  for (const ms of [Number.NaN, -1, 1.5, 3e9]) {
    await assert.rejects(startPeer({ heartbeatMs: ms }), RangeError);
    await assert.rejects(startPeer({ graceMs: ms }), RangeError);
    await assert.rejects(connect(url, { waitMs: ms }), RangeError);
  }
});

/** Sends `count` messages, `atOnce` of them on their way. */
async function inTurns(sender: Client | Peer, count: number, atOnce: number): Promise<void> {
  let next = 0;
  async function sendOneByOne() {
    while (next < count) {
      const body = next++;
      await sender.send(body, { id: `${body}` });
    }
  }
  await Promise.all(Array.from({ length: atOnce }, sendOneByOne));
}
