import assert from "node:assert/strict";
import test from "node:test";
import { until } from "@ipc/core/testing";
import { SESSION } from "../src/index.ts";
import { SessionBooks } from "../src/session.ts";
import { ended, join, nextText, open, serve, startCutter, take } from "./support.ts";

const timeout = 30_000;
const hello = (session: string | null = null, last = 0) => JSON.stringify({ hello: { session, last } });
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

test("2,000 messages and 10 cuts: everything comes back exactly once and in order", { timeout }, async (t) => {
  const handled: unknown[] = [];
  const { url } = await serve(t, {
    handler(message) {
      handled.push(message);
      return message;
    },
  });
  const cutter = await startCutter(t, url);
  const { client, events, told } = await join(t, cutter.url);
  const all = numbers(2_000);
  const received: unknown[] = [];
  const sending = (async () => {
    for (const number of all) if (!client.send(number)) await client.drained();
  })();
  for await (const message of client) {
    received.push(message);
    if (received.length % 190 === 0) {
      cutter.cut();
      await told("resumed", received.length / 190);
    }
    if (received.length === all.length) break;
  }
  await sending;
  assert.deepEqual(received, all);
  assert.deepEqual(handled, all);
  assert.equal(events.filter(({ type }) => type === "resumed").length, 10);
  assert.equal(events.filter(({ type }) => type === "lost").length, 0);
});

test("what is sent while there is no connection goes out afterwards", { timeout }, async (t) => {
  const { url } = await serve(t);
  const cutter = await startCutter(t, url);
  const { client, told } = await join(t, cutter.url);
  cutter.shut(true);
  cutter.cut();
  await told("disconnected");
  for (const number of numbers(5)) client.send(number);
  cutter.shut(false);
  assert.deepEqual(await take(client, 5), numbers(5));
  assert.equal((await told("resumed")).repeated, 5);
});

test("the client knows how many messages are gone for good, and goes on with the rest", { timeout }, async (t) => {
  const { url, server, told } = await serve(t, { keepMessages: 5 });
  const cutter = await startCutter(t, url);
  const { client, told: toldClient } = await join(t, cutter.url);
  server.broadcast("before");
  assert.deepEqual(await take(client, 1), ["before"]);
  cutter.shut(true);
  cutter.cut();
  await told("closed");
  for (const number of numbers(12)) server.broadcast(number);
  cutter.shut(false);
  assert.deepEqual(await take(client, 5), [7, 8, 9, 10, 11]);
  const { received, sent } = await toldClient("lost");
  assert.deepEqual({ received, sent }, { received: 7, sent: [] });
  assert.equal((await told("resumed")).gone, 7);
});

test("a server that does not know the session any more: what went out may be lost, what did not goes on", {
  timeout,
}, async (t) => {
  const first = await serve(t, { handler: () => new Promise(() => {}), graceMs: 0 });
  const { client, told } = await join(t, first.url);
  client.send("went out");
  await first.server.close();
  await told("disconnected");
  client.send("did not");
  await serve(t, { port: Number(new URL(first.url).port) });
  assert.deepEqual(await take(client, 1), ["did not"]);
  const { received, sent } = await told("lost");
  assert.equal(received, undefined);
  assert.deepEqual(sent, ["went out"]);
  await told("connected", 2);
});

test("a session waits for resumeMs, and only so many wait", { timeout }, async (t) => {
  const { url } = await serve(t, { resumeMs: 1, maxWaitingSessions: 1 });
  const id = await startSession(t, url);
  const answer = await until(async () => {
    const again = await open(t, url, SESSION);
    again.send(hello(id));
    const { welcome } = JSON.parse(await nextText(again));
    again.close(1000);
    return welcome.session === id ? false : welcome;
  });
  assert.deepEqual({ ...answer, session: "another" }, { session: "another", last: 0, gone: 0 });

  const patient = await serve(t, { maxWaitingSessions: 1 });
  const [older, newer] = [await startSession(t, patient.url), await startSession(t, patient.url)];
  await patient.told("closed", 2);
  const known = await Promise.all(
    [older, newer].map(async (session) => {
      const socket = await open(t, patient.url, SESSION);
      socket.send(hello(session));
      return JSON.parse(await nextText(socket)).welcome.session === session;
    }),
  );
  assert.deepEqual(known, [false, true]);
});

/** A session whose connection has gone without a word. */
async function startSession(t: test.TestContext, url: string): Promise<string> {
  const socket = await open(t, url, SESSION);
  socket.send(hello());
  const { welcome } = JSON.parse(await nextText(socket));
  const end = ended(socket);
  socket.close(4002);
  await end;
  return welcome.session;
}

test("a session that is resumed elsewhere is taken from where it was", { timeout }, async (t) => {
  const { url } = await serve(t);
  const first = await open(t, url, SESSION);
  first.send(hello());
  const { welcome } = JSON.parse(await nextText(first));
  const end = ended(first);
  const second = await open(t, url, SESSION);
  second.send(hello(welcome.session));
  assert.equal(JSON.parse(await nextText(second)).welcome.session, welcome.session);
  assert.deepEqual(await end, { code: 4001, reason: "this session goes on elsewhere" });
  const reply = nextText(second);
  second.send('{"seq":1,"data":"here"}');
  assert.equal(await reply, '{"seq":1,"data":"here"}');
});

test("a message that comes twice is handled once; a heartbeat is answered; acks come by themselves", {
  timeout,
}, async (t) => {
  const handled: unknown[] = [];
  const { url } = await serve(t, { handler: (message) => void handled.push(message) });
  const socket = await open(t, url, SESSION);
  socket.send(hello());
  await nextText(socket);
  const texts: string[] = [];
  socket.on("message", (data) => texts.push(data.toString()));
  for (const seq of [1, 1, 2, 1, 2]) socket.send(JSON.stringify({ seq, data: seq }));
  for (let seq = 3; seq <= 64; seq++) socket.send(JSON.stringify({ seq, data: seq }));
  socket.send('{"ping":0}');
  await until(() => texts.length === 2);
  assert.deepEqual(texts, ['{"ack":64}', '{"pong":64}']);
  assert.deepEqual(
    handled,
    numbers(64).map((number) => number + 1),
  );
});

const wrongFrames = [
  "1",
  "null",
  "[]",
  "{}",
  '{"seq":1}',
  '{"seq":0.5,"data":1}',
  '{"seq":-1,"data":1}',
  '{"seq":"1","data":1}',
  '{"seq":2,"data":1}',
  '{"ack":1}',
  '{"ping":null}',
  '{"ping":9007199254740992}',
  '{"hello":{"session":null,"last":0}}',
  '{"welcome":{"session":"a","last":0,"gone":0}}',
  '{"__proto__":{"seq":1,"data":1}}',
];

test(`frames that are none are refused with 4000 and a reason: ${wrongFrames.length} kinds`, { timeout }, async (t) => {
  const { url, told } = await serve(t);
  for (const [index, text] of wrongFrames.entries()) {
    const socket = await open(t, url, SESSION);
    socket.send(hello());
    await nextText(socket);
    const end = ended(socket);
    socket.send(text);
    const { code, reason } = await end;
    assert.equal(code, 4000, text);
    assert.match(reason, /^Cannot read frame: /);
    await told("dropped", index + 1);
  }
  for (const text of ['{"seq":1,"data":1}', '{"hello":{}}', '{"hello":{"session":1,"last":0}}', '{"hello":null}']) {
    const socket = await open(t, url, SESSION);
    const end = ended(socket);
    socket.send(text);
    assert.equal((await end).code, 4000, text);
  }
});

test("an outbox keeps the last messages within both limits, whatever is added and confirmed", { timeout }, () => {
  for (let seed = 1; seed <= 50; seed++) {
    let state = seed;
    const random = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const outbox = new SessionBooks({ keepMessages: 1 + random(20), keepBytes: 50 + random(500) });
    const model: string[] = [];
    let confirmed = 0;
    for (let step = 0; step < 300; step++) {
      if (random(4) > 0) model.push(outbox.add(`"${"a".repeat(random(40))}"`));
      else if (confirmed < model.length) {
        confirmed += random(model.length - confirmed + 1);
        outbox.confirm(confirmed);
      }
      assert.equal(outbox.last, model.length);
      const kept = outbox.after(0);
      assert.deepEqual(kept, kept.length === 0 ? [] : model.slice(-kept.length), `seed ${seed}, step ${step}`);
      assert.ok(kept.length <= model.length - confirmed);
      assert.equal(
        outbox.bytes,
        kept.reduce((sum, { length }) => sum + length, 0),
      );
      assert.equal(outbox.goneAfter(confirmed), model.length - confirmed - kept.length);
    }
    assert.throws(() => outbox.confirm(outbox.last + 1), { code: "ERR_MALFORMED" });
  }
});
