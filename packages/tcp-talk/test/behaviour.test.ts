import assert from "node:assert/strict";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect, startServer } from "../src/index.ts";
import { bin, dial, freeUrl, hearAll, pair, receive, serve } from "./support.ts";

const timeout = 20_000;

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const lines = ["one", "", "two words", "é — 漢 🙂"];
  const wire = Buffer.from(`${lines.join("\n")}\n`);
  const { url, heard } = await serve(t);
  for (let cut = 0; cut <= wire.length; cut++) {
    const socket = await dial(t, url);
    socket.write(wire.subarray(0, cut));
    // Sent apart for certain: the first part has left before the second is written.
    await new Promise((resolve) => setImmediate(resolve));
    socket.end(wire.subarray(cut));
    await receive(socket);
    assert.deepEqual(heard.splice(0), lines, `cut at byte ${cut}`);
  }
  t.diagnostic(`${lines.length} lines glued, and cut at each of ${wire.length} bytes: all whole`);
});

test("a message is too large", { timeout }, async (t) => {
  const { url, heard, told } = await serve(t);
  const socket = await dial(t, url);
  const reply = receive(socket);
  socket.write(`before\n${"a".repeat(1_048_577)}`);
  assert.match(await reply, /^Cannot read frame of \d+ bytes: limit is 1048576\n$/);
  assert.match((await told("dropped")).error.message, /limit is 1048576/);
  assert.deepEqual(heard, ["before"], "what came before is heard");
  socket.destroy();

  const talk = await connect(url);
  await assert.rejects(talk.send("a".repeat(1_048_577)), { code: "ERR_FRAME_TOO_LARGE" });
  await talk.send("still here");
  await talk.close();
  assert.deepEqual(heard, ["before", "still here"]);
  t.diagnostic("refused above 1 MiB, told so, let go; our own is not sent");
});

test("a message is malformed", { timeout }, async (t) => {
  const { url, heard, events, told } = await serve(t);
  const garbled = await dial(t, url);
  garbled.end(Uint8Array.of(0xff, 0x1b, 0x0a, 0xfe, 0x0a));
  await receive(garbled);
  assert.deepEqual(heard, ["\\xff\u001b", "\\xfe"], "shown and not lost");
  assert.equal(events.filter(({ type }) => type === "garbled").length, 1, "told once");

  const browser = await dial(t, url);
  browser.write("POST / HTTP/1.1\r\nHost: localhost:5000\r\n\r\nI am a person\nbye\n");
  assert.match(await receive(browser), /^HTTP\/1\.1 400 [\s\S]+not HTTP\.\r\n$/);
  assert.match((await told("dropped")).error.message, /it speaks HTTP$/);
  assert.equal(heard.length, 2, "nothing of it is heard");
  t.diagnostic("no UTF-8: shown as \\xff; HTTP: answered with 400");
});

test("the reader is slow", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const idleMib = residentMib(server.pid);
  const socket = await dial(t, url);
  socket.pause();
  // 400 MB are pasted at a caller who reads nothing. It stalls: for half a second no more is taken.
  const offered = 400;
  const line = `${"a".repeat(999_999)}\n`;
  let taken = 0;
  for (let sent = 0; sent < offered; sent++) server.stdin.write(line, () => taken++);
  let before = -1;
  await until(() => {
    const isStalled = taken === before && taken > 0;
    before = taken;
    return isStalled;
  }, 500);
  assert.ok(taken < 64, `${taken} of ${offered} MB were taken`);
  const grownMib = (residentMib(server.pid) ?? 0) - (idleMib ?? 0);
  assert.ok(grownMib < 32, `grew by ${grownMib} MiB`);
  const held = idleMib === undefined ? "" : `, grows by ${grownMib.toFixed(1)} MiB (bound: 32)`;
  t.diagnostic(`400 MB pasted: stalls after ${taken} MB${held}`);
});

test("the peer is killed", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const victim = startProgram(bin("client"), [url]);
  t.after(() => victim.stop("SIGKILL"));
  victim.stdin.write("hello\n");
  await server.waitForLine(/^hello$/);
  const killedAt = performance.now();
  await victim.stop("SIGKILL");
  await server.waitForLine(/ left without bye$/);
  const noticedMs = performance.now() - killedAt;
  assert.ok(noticedMs < 1_000, `noticed after ${noticedMs} ms`);

  const next = startProgram(bin("client"), [url]);
  t.after(() => next.stop("SIGKILL"));
  next.stdin.write("I am next\nbye\n");
  await server.waitForLine(/^I am next$/);
  assert.deepEqual(await Promise.all([next.exited, server.exited]), Array(2).fill({ code: 0, signal: null }));
  t.diagnostic(`noticed after ${noticedMs.toFixed(0)} ms, the line is free for the next`);
});

test("the peer goes silent", { timeout }, async (t) => {
  // Silence is no fault: whoever says nothing is thinking. Who takes nothing is stopped, or gone.
  const { url, talks, told } = await serve(t, {
    stallTimeoutMs: 300,
    async handler(talk) {
      talks.push(talk);
      await talk.closed;
    },
  });
  const silent = startProgram(bin("client"), [url]);
  t.after(() => silent.stop("SIGKILL"));
  const talk = await until(() => talks[0]);
  process.kill(silent.pid, "SIGSTOP");
  const line = "a".repeat(100_000);
  const talkingUntil = async () => {
    for (;;) await talk.send(line);
  };
  const from = performance.now();
  await assert.rejects(talkingUntil(), { code: "ETIMEDOUT" });
  const waitedMs = performance.now() - from;
  assert.ok(waitedMs >= 300 && waitedMs < 2_000, `cut off after ${waitedMs} ms`);
  assert.equal((await talk.closed)?.message, `Cannot talk to ${talk.url}: it took nothing for 300 ms`);
  await told("closed");
  t.diagnostic(
    `may be silent; takes nothing: after ${waitedMs.toFixed(0)} ms at stallTimeoutMs 300; gone: keepAliveMs`,
  );
});

test("the client starts first", { timeout }, async (t) => {
  const url = await freeUrl();
  let waits = 0;
  const connecting = connect(url, {
    onEvent: ({ type }) => {
      if (type === "waiting") waits++;
    },
  });
  await until(() => waits === 1);
  const startedAt = performance.now();
  const server = await startServer({ port: Number(new URL(url).port), handler: (talk) => talk.send("at last") });
  t.after(() => server.close());
  const talk = await connecting;
  t.after(() => talk.close());
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 2_000, `connected ${waitedMs} ms after the server was there`);
  assert.equal(waits, 1, "says once that it waits");
  assert.deepEqual(await hearAll(talk), ["at last"]);
  t.diagnostic(`waits, connected ${waitedMs.toFixed(0)} ms after the server was there`);
});

test("the server restarts", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const talk = await connect(url);
  const heard = hearAll(talk);
  server.stdin.write("before\n");
  await server.waitForLine(/connected/);
  await talk.send("heard");
  await server.waitForLine(/^heard$/);
  await server.stop("SIGKILL");
  assert.deepEqual(await heard, ["before"]);
  assert.deepEqual([talk.hasLeft, talk.bye], [true, undefined], "the caller is told");
  await talk.close();

  const restartedAt = performance.now();
  const second = startProgram(bin("server"), ["--port", new URL(url).port]);
  t.after(() => second.stop("SIGKILL"));
  const again = await connect(url);
  await again.send("again");
  await second.waitForLine(/^again$/);
  const backMs = performance.now() - restartedAt;
  await again.close();
  t.diagnostic(`the talk is over and says so; who calls again is through after ${backMs.toFixed(0)} ms`);
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
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const talk = await connect(url);
  t.after(() => talk.close());
  const heard = hearAll(talk);
  await talk.send("hello");
  await server.waitForLine(/^hello$/);
  // Lines are on their way in both directions.
  const said = Array.from({ length: 10_000 }, (_, number) => `line ${number}`);
  for (const line of said) server.stdin.write(`${line}\n`);
  for (const line of said) void talk.send(line);
  await server.waitForLine(/^line 9999$/);
  const toldAt = performance.now();
  const { code } = await server.stop("SIGTERM");
  const tookMs = performance.now() - toldAt;
  assert.equal(code, 0);
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  const lines = await heard;
  assert.deepEqual(lines, said.slice(0, lines.length), "none lost before the bye");
  assert.deepEqual([talk.bye, await talk.closed], ["heard", undefined]);
  assert.deepEqual(server.output.slice(1), ["hello", ...said]);
  t.diagnostic(`says bye, both have what was said before; exit 0 after ${tookMs.toFixed(0)} ms`);
});

test("two clients at once", { timeout }, async (t) => {
  const { caller, listener, told } = await pair(t);
  const heard = hearAll(listener);
  const { url } = caller;
  await caller.send("before");
  const second = await dial(t, url);
  const from = performance.now();
  assert.equal(await receive(second), "busy\n");
  const busyMs = performance.now() - from;
  second.end();
  await told("busy");
  await caller.send("after");
  await caller.close();
  assert.deepEqual(await heard, ["before", "after"]);
  t.diagnostic(`the second is told busy after ${busyMs.toFixed(0)} ms, the talk goes on`);
});
