import assert from "node:assert/strict";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect, startServer } from "../src/index.ts";
import { bin, come, freeUrl, plainSocket, serve, startCable } from "./support.ts";

const timeout = 30_000;

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const { url } = await serve(t, { maxEventsPerSecond: 1_000 });
  const cable = await startCable(t, url, { pieceBytes: 1 });
  const ann = await come(t, cable.url, { name: "Ann" });
  const bob = await come(t, url, { name: "Bob" });
  const texts = ["one", "two words", "é — 漢 🙂", "a\nb", "x".repeat(500), "last"];
  await Promise.all(texts.map((text) => ann.client.say(text)));
  // Glued: all in one write.
  const socket = await plainSocket(t, url);
  await socket.emitWithAck("join", { room: "lobby", name: "Eve" });
  await Promise.all([..."abcde"].map((text) => socket.emitWithAck("say", { id: text, text })));
  for (const person of [ann, bob]) {
    await until(() => person.texts().length === texts.length + 5);
    assert.deepEqual(person.texts(), [...texts, ..."abcde"]);
  }
  t.diagnostic("cut at every byte, or glued: all whole");
});

test("a message is too large", { timeout }, async (t) => {
  const { url } = await serve(t);
  const ann = await come(t, url, { name: "Ann" });
  const error = await ann.client.say("x".repeat(2_001)).catch((error) => error);
  assert.equal(error.code, "ERR_TOO_LARGE");
  assert.equal(error.message, "the text has 2001 characters: limit is 2000");
  const socket = await plainSocket(t, url);
  await socket.emitWithAck("join", { room: "lobby", name: "Eve" });
  const gone = new Promise((resolve) => socket.on("disconnect", resolve));
  socket.emit("say", { id: "big", text: "x".repeat(20_000) });
  await gone;
  assert.equal(await ann.client.say("x".repeat(2_000)), 1);
  t.diagnostic("above 2000 characters refused, above 16 KiB closed");
});

test("a message is malformed", { timeout }, async (t) => {
  const { url } = await serve(t, { maxEventsPerSecond: 10_000 });
  const ann = await come(t, url, { name: "Ann" });
  const socket = await plainSocket(t, url);
  await socket.emitWithAck("join", { room: "lobby", name: "Eve" });
  const evil = JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}');
  const values = [
    undefined,
    null,
    0,
    -1,
    1.5,
    "",
    "text",
    true,
    [],
    {},
    [[]],
    { id: 5, text: "x" },
    { id: "x", text: 5 },
    { id: "" },
    evil,
  ];
  const events = ["say", "whisper", "join", "history", "typing", "no such event", "__proto__", "constructor"];
  let refused = 0;
  for (const event of events) {
    for (const value of values) {
      const answer = await socket.timeout(5_000).emitWithAck(event, value);
      if (event !== "typing") assert.equal(typeof answer.code, "string", `${event} ${JSON.stringify(value)}`);
      if (answer.ok === false) refused++;
    }
  }
  assert.equal("isAdmin" in {}, false);
  // Nobody waits for an answer: it comes as an event.
  const told = new Promise<{ event: string; code: string }>((resolve) => socket.once("refused", resolve));
  socket.emit("say", { id: "x" });
  assert.equal((await told).code, "ERR_TEXT");
  const gone = new Promise((resolve) => socket.on("disconnect", resolve));
  socket.io.engine.write('2["say"');
  await gone;
  assert.equal(await ann.client.say("still here"), 1);
  t.diagnostic(`${refused} refused with a code; no packet: closed`);
});

test("the reader is slow", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0", "--max-events-per-second", "100000"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const ann = await come(t, url, { name: "Ann" });
  const cable = await startCable(t, url);
  const stuck = await plainSocket(t, cable.url);
  await stuck.emitWithAck("join", { room: "lobby", name: "Slow" });
  cable.hold();
  const idleMib = residentMib(server.pid);
  let said = 0;
  let isDropped = false;
  void server.waitForLine(/does not read/).then(() => {
    isDropped = true;
  });
  while (!isDropped) {
    await Promise.all(Array.from({ length: 20 }, () => ann.client.say("x".repeat(2_000))));
    said += 20;
    assert.ok(said < 20_000, "it is dropped at some time");
  }
  const grownMib = (residentMib(server.pid) ?? 0) - (idleMib ?? 0);
  assert.ok(grownMib < 64, `grew by ${grownMib} MiB`);
  assert.equal(typeof (await ann.client.say("still here")), "number");
  t.diagnostic(`dropped when 4 MiB wait; server grows by ${grownMib.toFixed(0)} MiB`);
});

test("the peer is killed", { timeout }, async (t) => {
  const { url } = await serve(t, { awayMs: 100 });
  const ann = await come(t, url, { name: "Ann" });
  const victim = startProgram(new URL("fixtures/idle-client.ts", import.meta.url), [url, "Victim"]);
  t.after(() => victim.stop("SIGKILL"));
  await victim.waitForLine(/joined/);
  const killedAt = performance.now();
  await victim.stop("SIGKILL");
  await ann.saw("notice", ({ notice }) => notice.text === "Victim has left the chat.");
  const noticedMs = performance.now() - killedAt;
  assert.ok(noticedMs < 3_000, `noticed after ${noticedMs} ms`);
  assert.equal(await ann.client.say("still here"), 1);
  t.diagnostic(`has left after awayMs and ${(noticedMs - 100).toFixed(0)} ms`);
});

test("the peer goes silent", { timeout }, async (t) => {
  const { url } = await serve(t, { heartbeatMs: 400, awayMs: 0 });
  const ann = await come(t, url, { name: "Ann" });
  const silent = startProgram(new URL("fixtures/idle-client.ts", import.meta.url), [url, "Silent"]);
  t.after(() => silent.stop("SIGKILL"));
  await silent.waitForLine(/joined/);
  await ann.saw("notice", ({ notice }) => notice.text === "Silent has joined the chat!");
  process.kill(silent.pid, "SIGSTOP");
  const stoppedAt = performance.now();
  await ann.saw("notice", ({ notice }) => notice.text === "Silent has left the chat.");
  const noticedMs = performance.now() - stoppedAt;
  assert.ok(noticedMs < 2 * 400 + 1_000, `noticed after ${noticedMs} ms`);

  const server = startProgram(bin("server"), ["--port", "0", "--heartbeat-ms", "400"]);
  t.after(() => server.stop("SIGKILL"));
  const bob = await come(t, await server.ready, { name: "Bob" });
  process.kill(server.pid, "SIGSTOP");
  const askedAt = performance.now();
  await bob.saw("disconnected");
  const gaveUpMs = performance.now() - askedAt;
  assert.ok(gaveUpMs < 2 * 400 + 1_000, `gave up after ${gaveUpMs} ms`);
  t.diagnostic(`noticed within 2 heartbeatMs, by server and client`);
});

test("the client starts first", { timeout }, async (t) => {
  const url = await freeUrl();
  let waits = 0;
  const onEvent = () => void waits++;
  const connecting = connect(url, { name: "Ann", onEvent });
  await until(() => waits === 1);
  const startedAt = performance.now();
  const server = await startServer({ port: Number(new URL(url).port) });
  t.after(() => server.close());
  const client = await connecting;
  t.after(() => client.close());
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 3_000, `connected ${waitedMs} ms after the server was there`);
  assert.equal(waits, 1, "says once that it waits");
  assert.equal(await client.say("at last"), 1);
  t.diagnostic(`waits, connected ${waitedMs.toFixed(0)} ms after the server was there`);
});

test("the server restarts", { timeout }, async (t) => {
  const first = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => first.stop("SIGKILL"));
  const url = await first.ready;
  const ann = await come(t, url, { name: "Ann" });
  await ann.client.say("before");
  await first.stop("SIGKILL");
  await ann.saw("disconnected");
  const waiting = ann.client.say("meanwhile");
  const restartedAt = performance.now();
  const second = await startServer({ port: Number(new URL(url).port) });
  t.after(() => second.close());
  assert.equal(await waiting, 1, "a new epoch counts anew");
  const backMs = performance.now() - restartedAt;
  assert.ok(backMs < 4_000, `back after ${backMs} ms`);
  assert.equal((await ann.saw("resumed")).isLost, true);
  await ann.saw("message", ({ message }) => message.text === "meanwhile");
  assert.deepEqual(ann.texts(), ["before", "meanwhile"], "nothing twice");
  t.diagnostic(`back after ${backMs.toFixed(0)} ms; history is lost unless in Redis`);
});

test("the port is taken", { timeout }, async (t) => {
  const { url } = await serve(t);
  const second = startProgram(bin("server"), ["--port", new URL(url).port]);
  t.after(() => second.stop("SIGKILL"));
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.deepEqual(second.output, []);
  assert.deepEqual(second.errors, [`Cannot listen on ${url}: the port is taken. Try --port 0`]);
  t.diagnostic("one line, exit code 1");
});

test("it is told to stop", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0", "--max-events-per-second", "10000"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const people = await Promise.all(
    Array.from({ length: 10 }, (_, index) => come(t, url, { name: `P${index}`, graceMs: 50 })),
  );
  const acknowledged: string[] = [];
  let isOver = false;
  for (const [index, { client }] of people.entries()) {
    void (async () => {
      for (let count = 1; !isOver; count++) {
        const text = `${index}:${count}`;
        if (await client.say(text).catch(() => 0)) acknowledged.push(text);
      }
    })();
  }
  await until(() => acknowledged.length > 200);
  const toldAt = performance.now();
  const { code } = await server.stop("SIGTERM");
  const tookMs = performance.now() - toldAt;
  isOver = true;
  assert.equal(code, 0);
  assert.deepEqual(server.errors, []);
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  for (const person of people) {
    await person.saw("disconnected");
    await person.saw("notice", ({ notice }) => notice.kind === "goodbye");
    assert.deepEqual(
      acknowledged.filter((text) => !person.texts().includes(text)),
      [],
      "all acknowledged came to everybody",
    );
  }
  t.diagnostic(`${acknowledged.length} acknowledged, all at everybody; exit 0`);
});

test("two clients at once", { timeout }, async (t) => {
  const { url } = await serve(t, { maxEventsPerSecond: 1_000 });
  const [ann, bob] = await Promise.all([come(t, url, { name: "Ann" }), come(t, url, { name: "Bob" })]);
  await Promise.all(
    Array.from({ length: 100 }, (_, index) => Promise.all([ann.client.say(`a${index}`), bob.client.say(`b${index}`)])),
  );
  await until(() => ann.texts().length === 200 && bob.texts().length === 200);
  assert.deepEqual(ann.texts(), bob.texts(), "one order for all");
  t.diagnostic("100 messages each: both have all, in one order");
});
