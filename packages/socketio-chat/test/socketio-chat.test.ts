import assert from "node:assert/strict";
import { request } from "node:http";
import test from "node:test";
import { until } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import { io } from "socket.io-client";
import { createRateLimit } from "../src/answer.ts";
import { connect, escapeText, startServer } from "../src/index.ts";
import { foldName, parseName, parseRoom } from "../src/page/protocol.js";
import { createTimeline } from "../src/page/timeline.js";
import { createMemoryStore } from "../src/store.ts";
import { come, plainSocket, serve } from "./support.ts";

const timeout = 20_000;

test("greeting, name, welcome; others hear who joins, what is said and who leaves", { timeout }, async (t) => {
  const { url } = await serve(t);
  const ann = await come(t, url, { name: "Ann" });
  const bob = await come(t, url, { name: "Bob" });
  assert.equal(await ann.client.say("hi"), 1);
  assert.equal(await bob.client.say("yo"), 2);
  for (const person of [ann, bob]) {
    await person.saw("message", ({ message }) => message.text === "yo");
    assert.deepEqual(person.texts(), ["hi", "yo"], "the sender gets it as well");
  }
  await bob.client.close();
  await ann.saw("notice", ({ notice }) => notice.kind === "left");
  const notices = ann.events.flatMap((event) => (event.type === "notice" ? event.notice.text : []));
  assert.deepEqual(notices, [
    "Good day! What is your name?",
    "Welcome Ann!",
    "Bob has joined the chat!",
    "Bob has left the chat.",
  ]);
  assert.deepEqual(ann.client.people, ["Ann"]);
});

test("a name is 1 to 32 visible characters, and one person's in a room", { timeout }, async (t) => {
  const { url } = await serve(t);
  await come(t, url, { name: "Ann" });
  for (const name of ["", "   ", "x".repeat(33), "\u200b\u202e", "\u0301", "\ud800"]) {
    await assert.rejects(connect(url, { name }), { code: "ERR_NAME" }, JSON.stringify(name));
  }
  for (const name of ["Ann", "ann", "ANN", "A\u200bnn", "\uff21nn"]) {
    await assert.rejects(connect(url, { name }), { code: "ERR_NAME_TAKEN" }, JSON.stringify(name));
  }
  await come(t, url, { name: "Ann", room: "garden" });
  await come(t, url, { name: "x".repeat(32) });
  assert.equal(parseName(" Grace \n Hopper\u0007 "), "Grace Hopper");
  assert.equal(foldName("\uff21nn"), "ann");
  assert.equal(parseRoom("Gärten-2"), "gärten-2");
  for (const room of ["", "a b", "#x", "x".repeat(33), 5]) assert.throws(() => parseRoom(room), { code: "ERR_ROOM" });
});

test("rooms hear nothing of each other", { timeout }, async (t) => {
  const { url } = await serve(t);
  const ann = await come(t, url, { name: "Ann" });
  const bob = await come(t, url, { name: "Bob", room: "garden" });
  await bob.client.say("in the garden");
  await ann.client.say("in the lobby");
  await ann.saw("message");
  await bob.saw("message");
  assert.deepEqual(ann.texts(), ["in the lobby"]);
  assert.deepEqual(bob.texts(), ["in the garden"]);
  assert.deepEqual([ann.client.people, bob.client.people], [["Ann"], ["Bob"]]);
});

test("who comes later gets the last messages of the room", { timeout }, async (t) => {
  const { url } = await serve(t, { keepMessages: 3 });
  const ann = await come(t, url, { name: "Ann" });
  for (let count = 1; count <= 7; count++) await ann.client.say(`${count}`);
  const bob = await come(t, url, { name: "Bob" });
  await until(() => bob.texts().length === 3);
  assert.deepEqual(bob.texts(), ["5", "6", "7"]);
  assert.ok(
    bob.events.every((event) => event.type !== "resumed"),
    "nothing was missed by who was not there",
  );
});

test("a private message reaches one person, in any case of the name, and its sender knows", { timeout }, async (t) => {
  const { url } = await serve(t);
  const [ann, bob, eve] = [
    await come(t, url, { name: "Ann" }),
    await come(t, url, { name: "Bob" }),
    await come(t, url, { name: "Eve" }),
  ];
  await ann.client.whisper("bob", "psst");
  const { whisper } = await bob.saw("whisper");
  assert.deepEqual([whisper.from, whisper.to, whisper.text], ["Ann", "Bob", "psst"]);
  await assert.rejects(ann.client.whisper("Zed", "hello?"), { code: "ERR_NOBODY" });
  const deaf = await plainSocket(t, url);
  await deaf.emitWithAck("join", { room: "lobby", name: "Deaf" });
  await assert.rejects(ann.client.whisper("Deaf", "hello?"), { code: "ERR_AWAY" });
  await ann.client.say("to all");
  await eve.saw("message");
  assert.ok(eve.events.every(({ type }) => type !== "whisper"));
});

test("others see who is typing, the typist does not", { timeout }, async (t) => {
  const { url } = await serve(t);
  const [ann, bob] = [await come(t, url, { name: "Ann" }), await come(t, url, { name: "Bob" })];
  ann.client.typing(true);
  const typing = await bob.saw("typing");
  assert.deepEqual([typing.name, typing.isTyping], ["Ann", true]);
  ann.client.typing(false);
  await bob.saw("typing", ({ isTyping }) => !isTyping);
  assert.ok(ann.events.every(({ type }) => type !== "typing"));
});

test("who was cut off keeps the name for awayMs, and has not left when they come back", { timeout }, async (t) => {
  const { url, server } = await serve(t, { awayMs: 300 });
  const ann = await come(t, url, { name: "Ann" });
  const cut = await plainSocket(t, url);
  assert.equal((await cut.emitWithAck("join", { room: "lobby", name: "Bob", session: "secret" })).ok, true);
  await ann.saw("notice", ({ notice }) => notice.text === "Bob has joined the chat!");
  cut.io.engine.close();
  const back = await plainSocket(t, url);
  const taken = await back.emitWithAck("join", { room: "lobby", name: "Bob", session: "another" });
  assert.equal(taken.code, "ERR_NAME_TAKEN");
  const answer = await back.emitWithAck("join", { room: "lobby", name: "Bob", session: "secret" });
  assert.equal(answer.ok, true);
  assert.deepEqual(answer.people, ["Ann", "Bob"]);
  back.io.engine.close();
  await ann.saw("notice", ({ notice }) => notice.text === "Bob has left the chat.");
  const told = ann.events.flatMap((event) =>
    event.type === "notice" && event.notice.name === "Bob" ? event.notice.kind : [],
  );
  assert.deepEqual(told, ["joined", "left"], "once each");
  await server.close();
});

test("the same message sent again is one message", { timeout }, async (t) => {
  const { url } = await serve(t);
  const socket = await plainSocket(t, url);
  await socket.emitWithAck("join", { room: "lobby", name: "Ann" });
  const ann = await come(t, url, { name: "Bob" });
  const first = await socket.emitWithAck("say", { id: "one", text: "hi" });
  const again = await socket.emitWithAck("say", { id: "one", text: "hi" });
  assert.deepEqual(again, first);
  await socket.emitWithAck("say", { id: "two", text: "ho" });
  await ann.saw("message", ({ message }) => message.id === "two");
  assert.deepEqual(ann.texts(), ["hi", "ho"]);
});

test("who sends too much is told to wait, then dropped; our client waits by itself", { timeout }, async (t) => {
  const { url, told } = await serve(t, { maxEventsPerSecond: 50 });
  const ann = await come(t, url, { name: "Ann" });
  await Promise.all(Array.from({ length: 150 }, (_, index) => ann.client.say(`${index}`)));
  await until(() => ann.texts().length === 150);
  assert.deepEqual(
    ann.texts(),
    Array.from({ length: 150 }, (_, index) => `${index}`),
  );

  const flood = await plainSocket(t, url);
  const refusals: { code: string; retryAfterMs: number }[] = [];
  flood.on("refused", (refusal) => refusals.push(refusal));
  const gone = new Promise((resolve) => flood.on("disconnect", resolve));
  for (let index = 0; index < 2_000; index++) flood.emit("typing", { isTyping: true });
  assert.equal(await gone, "io server disconnect");
  assert.match((await told("dropped")).reason, /floods/);
  assert.ok(refusals.some(({ code, retryAfterMs }) => code === "ERR_TOO_FAST" && retryAfterMs > 0));
});

test("polling, WebSocket and the upgrade from one to the other all chat", { timeout }, async (t) => {
  const { url } = await serve(t);
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    const socket = await plainSocket(t, url, transports);
    const heard = new Promise((resolve) => socket.on("message", resolve));
    assert.equal((await socket.emitWithAck("join", { room: "lobby", name: transports.join() })).ok, true);
    const { seq } = await socket.emitWithAck("say", { id: transports.join("-"), text: "hi" });
    assert.equal(((await heard) as { seq: number }).seq, seq);
    socket.disconnect();
  }
});

test("a reader that is far behind disconnects, and catches up", { timeout }, async (t) => {
  const { url } = await serve(t, { maxEventsPerSecond: 10_000, keepMessages: 5_000 });
  const slow = await connect(url, { name: "Slow" });
  t.after(() => slow.close());
  const ann = await come(t, url, { name: "Ann" });
  const reading = slow[Symbol.asyncIterator]();
  await reading.next();
  for (let count = 1; count <= 2_000; count++) await ann.client.say(`${count}`);
  const texts: string[] = [];
  let pauses = 0;
  while (texts.length < 2_000) {
    const { value } = await reading.next();
    if (value?.type === "message") texts.push(value.message.text);
    if (value?.type === "disconnected") pauses++;
  }
  assert.deepEqual(
    texts,
    Array.from({ length: 2_000 }, (_, index) => `${index + 1}`),
  );
  assert.ok(pauses > 0, "the server did not keep it all for it");
});

test("close() is idempotent, ends what is said afterwards with EPIPE, and the process's handles with it", {
  timeout,
}, async (t) => {
  const { url, server } = await serve(t);
  const ann = await come(t, url, { name: "Ann" });
  const last = ann.client.say("last words");
  await Promise.all([ann.client.close(), ann.client.close()]);
  assert.equal(await last, 1, "what was said before is sent");
  await assert.rejects(ann.client.say("too late"), { code: "EPIPE" });
  await Promise.all([server.close(), server.close()]);
  await assert.rejects(connect(url, { waitMs: 0 }), { code: "ECONNREFUSED" });
});

test("options that make no sense are refused at once", { timeout }, async () => {
  await assert.rejects(startServer({ keepMessages: 0 }), RangeError);
  await assert.rejects(startServer({ heartbeatMs: Number.NaN }), RangeError);
  await assert.rejects(startServer({ redisUrl: "http://x" }), { code: "ERR_INVALID_URL" });
  await assert.rejects(startServer({ redisUrl: "redis://127.0.0.1:1", waitMs: 0 }), { code: "ECONNREFUSED" });
  await assert.rejects(connect("127.0.0.1:1"), { code: "ERR_INVALID_URL" });
  await assert.rejects(connect("http://127.0.0.1:1", { waitMs: -1 }), RangeError);
});

test("the page's files come with a policy under which only they run", { timeout }, async (t) => {
  const { url } = await serve(t);
  for (const path of ["/", "/page.js", "/chat.css", "/protocol.js"]) {
    const response = await fetch(url + path);
    assert.equal(response.status, 200, path);
    assert.match(response.headers.get("content-security-policy") ?? "", /script-src 'self'/);
    assert.ok((await response.text()).length > 100);
  }
  assert.equal((await fetch(`${url}/socket.io/socket.io.esm.min.js`)).status, 200);
  for (const path of ["/nothing", "/../server.ts", "/%2e%2e/server.ts", "/socket.io"]) {
    const response = await fetch(url + path);
    assert.equal(response.status, 404, path);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
  }
  assert.equal((await fetch(url, { method: "POST", body: "x" })).status, 405);
});

/** A request with headers that `fetch` would not send. */
function ask(url: string, headers: Record<string, string | string[]>, path = "/"): Promise<number> {
  return new Promise((resolve, reject) => {
    const own = headers["Host"] === undefined ? { Host: new URL(url).host, ...headers } : headers;
    const flat = Object.entries(own).flatMap(([name, value]) => [value].flat().flatMap((each) => [name, each]));
    const sent = request({ ...parseAddress(url, "http"), path, headers: flat, setHost: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on("upgrade", (_response, socket) => {
      socket.destroy();
      resolve(101);
    });
    sent.on("error", reject).end();
  });
}

test("pages elsewhere are refused: foreign Host 421, two Hosts 400, foreign Origin 403, on every transport", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { allowedOrigins: ["https://app.example.org"] });
  const upgrade = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": `${"a".repeat(22)}==`,
  };
  const paths: [string, Record<string, string>, number][] = [
    ["/", {}, 200],
    ["/socket.io/?EIO=4&transport=polling", {}, 200],
    ["/socket.io/?EIO=4&transport=websocket", upgrade, 101],
    ["/socket.io/socket.io.esm.min.js", {}, 200],
  ];
  for (const [path, headers, good] of paths) {
    assert.equal(await ask(url, headers, path), good, path);
    assert.equal(await ask(url, { ...headers, Host: "evil.example" }, path), 421, path);
    assert.equal(await ask(url, { ...headers, Host: ["127.0.0.1", "localhost"] }, path), 400, path);
    assert.equal(await ask(url, { ...headers, Origin: "https://evil.example" }, path), 403, path);
    assert.equal(await ask(url, { ...headers, Origin: "null" }, path), 403, path);
    assert.equal(await ask(url, { ...headers, Origin: "https://app.example.org" }, path), good, path);
  }
  assert.equal(
    await ask(url, { ...upgrade, "Sec-WebSocket-Version": "8" }, "/socket.io/?EIO=4&transport=websocket"),
    426,
  );
  assert.equal(await ask(url, upgrade, "/"), 404);
  const refused = io(url, {
    transports: ["websocket"],
    reconnection: false,
    extraHeaders: { origin: "https://evil.example" },
  });
  await new Promise((resolve) => refused.on("connect_error", resolve));
});

test("a server that is full says so with 503, and takes the next one when somebody has gone", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { maxConnections: 1 });
  const first = await connect(url, { name: "Ann" });
  assert.equal(await ask(url, {}, "/socket.io/?EIO=4&transport=polling"), 503);
  await first.close();
  await come(t, url, { name: "Bob" });
});

test("a timeline gives each message once and in order, however they come", { timeout }, () => {
  for (let round = 0; round < 300; round++) {
    const all = Array.from({ length: 12 }, (_, index) => ({
      seq: index + 1,
      id: `id${index}`,
      name: "A",
      text: "",
      at: 0,
    }));
    const shown: number[] = [];
    const timeline = createTimeline(({ seq }) => shown.push(seq));
    timeline.catchUp({ epoch: "e", last: 0, gone: 0, messages: [] });
    const wire = [...all, ...all.filter(() => Math.random() < 0.5)].sort(() => Math.random() - 0.5);
    for (const message of wire) timeline.take(message);
    assert.deepEqual(
      shown,
      all.map(({ seq }) => seq),
    );
    assert.equal(timeline.hasGap, false);
  }
});

test("a timeline says what is gone and that its numbers begin anew, and knows doubles by their id", { timeout }, () => {
  const message = (seq: number, id = `id${seq}`) => ({ seq, id, name: "A", text: "", at: 0 });
  const shown: string[] = [];
  const timeline = createTimeline(({ id }) => shown.push(id));
  timeline.catchUp({ epoch: "e", last: 2, gone: 0, messages: [message(1), message(2)] });
  assert.deepEqual(timeline.catchUp({ epoch: "e", last: 9, gone: 5, messages: [message(8), message(9)] }), {
    missed: 2,
    gone: 5,
    isLost: false,
  });
  timeline.pause();
  // Said again by who had no answer from the server that died.
  timeline.take(message(1, "id9"));
  assert.deepEqual(
    timeline.catchUp({ epoch: "f", last: 2, gone: 0, messages: [message(1, "id9"), message(2, "new")] }).isLost,
    true,
  );
  assert.deepEqual(shown, ["id1", "id2", "id8", "id9", "new"]);
});

test("a memory store forgets the oldest messages, their ids, and the room that was quiet for longest", {
  timeout,
}, async () => {
  const store = createMemoryStore(3, 2);
  const draft = (id: string) => ({ id, name: "A", text: id, at: 0 });
  for (let count = 1; count <= 10; count++) await store.append("a", draft(`m${count}`));
  const { epoch } = await store.read("a", { epoch: "", after: 0 });
  const history = await store.read("a", { epoch, after: 5 });
  assert.deepEqual([history.last, history.gone, history.messages.map(({ seq }) => seq)], [10, 2, [8, 9, 10]]);
  assert.deepEqual(
    (await store.read("a", { epoch, after: 9 })).messages.map(({ seq }) => seq),
    [10],
  );
  assert.equal((await store.append("a", draft("m9"))).seq, 9);
  assert.equal((await store.append("a", draft("m1"))).seq, 11, "an id is known as long as its message");
  await store.append("b", draft("x"));
  await store.append("a", draft("y"));
  await store.append("c", draft("z"));
  assert.equal((await store.read("a", { epoch, after: 0 })).epoch, epoch);
  assert.equal((await store.append("b", draft("x"))).seq, 1, "b was forgotten");
});

test("a rate limit lets a burst pass, then so many a second, and knows a flood", { timeout }, () => {
  const rate = createRateLimit(10);
  const waits = Array.from({ length: 25 }, () => rate.take());
  assert.deepEqual(waits.slice(0, 20), Array(20).fill(0));
  assert.ok(
    waits.slice(20).every((ms) => ms > 0 && ms <= 100),
    waits.join(),
  );
  assert.equal(rate.isFlooded(), false);
  for (let index = 0; index < 250; index++) rate.take();
  assert.equal(rate.isFlooded(), true);
});

test("escapeText() leaves nothing that a terminal would obey", { timeout }, () => {
  assert.equal(escapeText("a\u001b[2Jb\u0007\u202ec\r\nd\te"), "a\\x1b[2Jb\\x07\\u202ec\n  d\\x09e");
});

test("whose name goes on elsewhere learns it, and may come in again as somebody else", { timeout }, async (t) => {
  const { url } = await serve(t);
  const session = "secret";
  const first = await come(t, url, { name: "Ann", session });
  await come(t, url, { name: "Ann", session });
  assert.equal((await first.saw("expelled")).refusal.code, "ERR_EXPELLED");
  await first.client.join("lobby", "Bob");
  await assert.rejects(first.client.join("garden", "Bob"), { code: "ERR_JOINED" });
  assert.deepEqual(first.client.people.sort(), ["Ann", "Bob"], "it may come in again as somebody else");
});
