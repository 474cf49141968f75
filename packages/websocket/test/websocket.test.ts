import assert from "node:assert/strict";
import test from "node:test";
import { connect, ECHO, SESSION, startServer } from "../src/index.ts";
import { ended, FIVE_SIX, freeUrl, join, nextText, open, serve, take } from "./support.ts";

const timeout = 20_000;

for (const protocol of [ECHO, SESSION] as const) {
  test(`${protocol}: what the client sends comes back, exactly once and in order`, { timeout }, async (t) => {
    const { url } = await serve(t);
    const { client } = await join(t, url, { protocol });
    const messages = [FIVE_SIX, [], "", 0, null, false, { "é — 漢 🙂": "\u0000\ud83d\ude00" }, "a".repeat(100_000)];
    for (const message of messages) client.send(message);
    assert.deepEqual(await take(client, messages.length), messages);
    client.send("the last");
    assert.deepEqual(await take(client, 1), ["the last"], "nothing came twice");
  });

  test(`${protocol}: the server may speak first, and hears what comes back`, { timeout }, async (t) => {
    const heard: unknown[] = [];
    let onHeard = () => {};
    const { url } = await serve(t, {
      onConnect: (peer) => void peer.send(FIVE_SIX),
      handler(message) {
        heard.push(message);
        onHeard();
      },
    });
    const { client } = await join(t, url, { protocol });
    const [message] = await take(client, 1);
    assert.deepEqual(message, FIVE_SIX);
    const isHeard = new Promise<void>((resolve) => {
      onHeard = resolve;
    });
    client.send(message);
    await isHeard;
    assert.deepEqual(heard, [FIVE_SIX]);
  });

  test(`${protocol}: replies keep the order of the messages, whatever the handler waits for`, {
    timeout,
  }, async (t) => {
    const { url } = await serve(t, {
      async handler(message) {
        await new Promise((resolve) => setTimeout(resolve, Number(message) % 2 ? 0 : 5));
        return message;
      },
    });
    const { client } = await join(t, url, { protocol });
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    for (const number of numbers) client.send(number);
    assert.deepEqual(await take(client, 20), numbers);
  });

  test(`${protocol}: broadcast() reaches everybody`, { timeout }, async (t) => {
    const { url, server } = await serve(t);
    const clients = await Promise.all(Array.from({ length: 5 }, () => join(t, url, { protocol })));
    assert.equal(server.broadcast(FIVE_SIX), 5);
    for (const { client } of clients) assert.deepEqual(await take(client, 1), [FIVE_SIX]);
  });

  test(`${protocol}: close() of a client sees to it that what was sent is there`, { timeout }, async (t) => {
    const heard: unknown[] = [];
    const { url, told } = await serve(t, { handler: (message) => void heard.push(message) });
    const client = await connect(url, { protocol });
    const numbers = Array.from({ length: 900 }, (_, index) => index);
    for (const number of numbers) client.send(number);
    await client.close();
    assert.deepEqual(heard, numbers);
    assert.equal((await told("closed")).code, 1000);
    assert.throws(() => client.send("late"), { code: "EPIPE" });
    assert.deepEqual(await take(client, 1), [], "the loop ends");
  });

  test(`${protocol}: a loop that is left goes on later where it was`, { timeout }, async (t) => {
    const { url } = await serve(t);
    const { client } = await join(t, url, { protocol });
    for (let number = 0; number < 6; number++) client.send(number);
    assert.deepEqual(await take(client, 2), [0, 1]);
    assert.deepEqual(await take(client, 4), [2, 3, 4, 5]);
  });

  test(`${protocol}: a reader that takes nothing holds the server up, and misses nothing`, { timeout }, async (t) => {
    const { url, server } = await serve(t);
    const { client } = await join(t, url, { protocol, maxBufferedBytes: 100_000, keepMessages: 2_000 });
    const numbers = Array.from({ length: 30 }, (_, index) => `${index} ${"a".repeat(50_000)}`);
    for (const number of numbers) server.broadcast(number);
    assert.deepEqual(await take(client, numbers.length), numbers);
  });

  test(`${protocol}: peer.close() ends the client's loop, and it stays away`, { timeout }, async (t) => {
    const { url, told } = await serve(t, { handler: (_message, peer) => peer.close() });
    const { client } = await join(t, url, { protocol });
    client.send("go");
    assert.deepEqual(await take(client, 1), []);
    await told("closed");
    assert.throws(() => client.send("more"), { code: "EPIPE" });
  });
}

test("ipc.echo.v1 is bare: no greeting, no envelope, the same bytes back", { timeout }, async (t) => {
  const { url } = await serve(t, { heartbeatMs: 50 });
  const socket = await open(t, url, ECHO);
  assert.equal(socket.protocol, ECHO);
  const texts: string[] = [];
  socket.on("message", (data) => texts.push(data.toString()));
  const pings = new Promise<void>((resolve) => socket.once("ping", () => resolve()));
  await pings;
  assert.deepEqual(texts, [], "a heartbeat is a ping frame, no message");
  const text = ' {"five": 5,\n "six":6.0, "six":6e0, "big":12345678901234567890} ';
  const reply = nextText(socket);
  socket.send(text);
  assert.equal(await reply, text);
  assert.equal(texts.length, 1);
});

test("who offers no subprotocol gets the bare one; who offers others is refused", { timeout }, async (t) => {
  const { url, told } = await serve(t);
  const bare = await open(t, url);
  assert.equal(bare.protocol, "");
  const reply = nextText(bare);
  bare.send("1");
  assert.equal(await reply, "1");
  assert.equal((await open(t, url, SESSION)).protocol, SESSION);
  await assert.rejects(open(t, url, "ipc.echo.v9"), /400/);
  assert.match((await told("refused")).reason, /offer ipc\.echo\.v1 or ipc\.session\.v1/);
});

test("handlers and onConnect that throw cost their own connection only", { timeout }, async (t) => {
  const { url, told } = await serve(t, {
    handler(message) {
      if (message === "now") throw new Error("secret");
      if (message === "later") return Promise.reject(new Error("secret"));
      return message;
    },
  });
  const other = await join(t, url, { protocol: ECHO });
  for (const message of ["now", "later"]) {
    const socket = await open(t, url, ECHO);
    const end = ended(socket);
    socket.send(JSON.stringify(message));
    assert.deepEqual(await end, { code: 1011, reason: "" }, "the peer learns nothing of it");
    const { client } = await join(t, url, { protocol: ECHO });
    client.send(message);
    await assert.rejects(take(client, 1), { code: "ERR_HANDLER" });
  }
  assert.equal((await told("dropped", 4)).error.message, "secret");
  other.client.send("still here");
  assert.deepEqual(await take(other.client, 1), ["still here"]);

  const shy = await serve(t, {
    onConnect() {
      throw new Error("no");
    },
  });
  assert.equal((await ended(await open(t, shy.url))).code, 1011);
  assert.equal((await shy.told("failed")).error.message, "no");
});

test("what cannot be sent is refused where it is said", { timeout }, async (t) => {
  const { url } = await serve(t, { maxPayload: 100 });
  const { client } = await join(t, url, { maxPayload: 100 });
  assert.throws(() => client.send(undefined), { name: "TypeError", code: "ERR_MALFORMED" });
  assert.throws(() => client.send(1n), { code: "ERR_MALFORMED" });
  assert.throws(() => client.send("a".repeat(99)), {
    name: "RangeError",
    code: "ERR_MESSAGE_TOO_LARGE",
    message: "Cannot send message of 101 bytes: limit is 100",
  });
  client.send("a".repeat(98));
  assert.equal((await take(client, 1)).length, 1, "the limit itself passes, in a session as well");
});

for (const protocol of [ECHO, SESSION] as const) {
  test(`${protocol}: a client that takes less than the server sends gives up, and says why`, { timeout }, async (t) => {
    const { url, server } = await serve(t);
    const { client, events } = await join(t, url, { protocol, maxPayload: 10 });
    client.send("a");
    assert.deepEqual(await take(client, 1), ["a"]);
    server.broadcast("a".repeat(200));
    const text = "Cannot read message: it is above maxPayload";
    await assert.rejects(take(client, 1), { code: "ERR_MESSAGE_TOO_LARGE", message: text });
    assert.throws(() => client.send(1), { code: "ERR_MESSAGE_TOO_LARGE" });
    const told = ["connected", "disconnected"];
    assert.deepEqual(
      events.map(({ type }) => type),
      told,
    );
  });
}

test("send() says when to wait, drained() when to go on, ENOBUFS when nobody waited", { timeout }, async (t) => {
  let release = (_value: unknown) => {};
  const { url } = await serve(t, {
    handler: () =>
      new Promise((resolve) => {
        release = resolve;
      }),
  });
  const { client } = await join(t, url, { keepMessages: 10 });
  const results = Array.from({ length: 7 }, (_, index) => client.send(index));
  assert.deepEqual(results, [true, true, true, true, true, false, false]);
  await client.drained();
  assert.equal(client.send("more"), true);

  const bare = await join(t, url, { protocol: ECHO, maxBufferedBytes: 100_000 });
  release(undefined);
  assert.throws(
    () => {
      for (let sent = 0; sent < 10_000; sent++) bare.client.send("a".repeat(50_000));
    },
    { code: "ENOBUFS" },
  );
});

test("options that make no sense are refused at once", { timeout }, async () => {
  const url = await freeUrl();
  for (const wrong of [{ maxPayload: 0 }, { maxFragments: 1.5 }, { heartbeatMs: -1 }, { keepMessages: Number.NaN }]) {
    await assert.rejects(startServer(wrong), RangeError);
    await assert.rejects(connect(url, wrong), RangeError);
  }
  for (const wrong of ["127.0.0.1:1", "http://127.0.0.1:1", "ws:", ""]) {
    await assert.rejects(connect(wrong), { code: "ERR_INVALID_URL" });
  }
  await assert.rejects(startServer({ host: "" }), TypeError);
});

test("connect() rejects with a code: nobody there, no server of ours, aborted", { timeout }, async (t) => {
  const url = await freeUrl();
  await assert.rejects(connect(url, { waitMs: 0 }), {
    code: "ECONNREFUSED",
    message: `Cannot connect to ${url}: nobody listens there`,
  });
  const aborting = new AbortController();
  const connecting = connect(url, { signal: aborting.signal, onEvent: () => aborting.abort(new Error("enough")) });
  await assert.rejects(connecting, /enough/);
  const { url: there, told } = await serve(t, { maxConnections: 1 });
  await join(t, there);
  await assert.rejects(connect(there, { waitMs: 0 }), {
    code: "EBUSY",
    message: /the server said 503 Service Unavailable/,
  });
  assert.equal((await told("refused")).status, 503);
});

test("a port that is taken: startServer() rejects", { timeout }, async (t) => {
  const { url } = await serve(t);
  await assert.rejects(startServer({ port: Number(new URL(url).port) }), {
    code: "EADDRINUSE",
    message: `Cannot listen on ${url}: the port is taken`,
  });
});
