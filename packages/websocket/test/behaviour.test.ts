import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect, ECHO, startServer } from "../src/index.ts";
import {
  bin,
  dialUpgraded,
  ended,
  fixture,
  frame,
  freeUrl,
  join,
  open,
  receive,
  serve,
  startCutter,
  take,
} from "./support.ts";

const timeout = 30_000;

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const { url } = await serve(t);
  const messages = ["1", '"two words"', '"é — 漢 🙂"', "{}"];
  const wire = Buffer.concat([
    ...messages.map((message) => frame(message)),
    // The last in pieces, a ping between them (RFC 6455 section 5.4).
    frame("[1,", { isLast: false }),
    frame("", { opcode: 9 }),
    frame("2]", { opcode: 0 }),
  ]);
  const replies = Buffer.concat([
    ...messages.map((message) =>
      Buffer.concat([Buffer.from([0x81, Buffer.byteLength(message)]), Buffer.from(message)]),
    ),
    Buffer.from([0x81, 5]),
    Buffer.from("[1,2]"),
  ]);
  const pong = Buffer.from([0x8a, 0x00]);
  for (let cut = 0; cut <= wire.length; cut++) {
    const socket = await dialUpgraded(t, url);
    socket.write(wire.subarray(0, cut));
    // Sent apart for certain: the first part has left before the second is written.
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(wire.subarray(cut));
    const answer = await receive(socket, (all) => all.length >= replies.length + pong.length);
    // A pong may overtake messages.
    const at = answer.indexOf(pong);
    const rest = Buffer.concat([answer.subarray(0, at), answer.subarray(at + pong.length)]);
    assert.deepEqual(rest, replies, `cut at byte ${cut}`);
    socket.destroy();
  }
  t.diagnostic(`${messages.length + 1} messages glued, and cut at each of ${wire.length} bytes: all whole`);
});

test("a message is too large", { timeout }, async (t) => {
  const { url, told } = await serve(t);
  const other = await join(t, url);
  const socket = await open(t, url, ECHO);
  const end = ended(socket);
  socket.send(`"${"a".repeat(1_048_576)}"`);
  assert.deepEqual(await end, { code: 1009, reason: "" });
  assert.equal((await told("dropped")).error.message, "Cannot read message: it is above maxPayload");

  // Announced, not sent: refused before it is buffered.
  const liar = await dialUpgraded(t, url);
  liar.write(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1]));
  assert.equal((await receive(liar, (all) => all.length >= 4)).readUInt16BE(2), 1009);

  assert.throws(() => other.client.send("a".repeat(1_048_575)), { code: "ERR_MESSAGE_TOO_LARGE" });
  other.client.send("still here");
  assert.deepEqual(await take(other.client, 1), ["still here"]);
  t.diagnostic("refused above 1 MiB before it is buffered: close code 1009; our client does not send it");
});

test("a message is malformed", { timeout }, async (t) => {
  const { url, told } = await serve(t);
  const other = await join(t, url);
  const vectors = ["{five:5}", "", "{", "undefined", "'a'", "[1,]", "NaN", "\u0000"];
  for (const [index, text] of vectors.entries()) {
    const socket = await open(t, url, ECHO);
    const end = ended(socket);
    socket.send(text);
    assert.deepEqual(await end, { code: 1007, reason: "Cannot read message: it is no JSON" }, text);
    await told("dropped", index + 1);
  }
  other.client.send("still here");
  assert.deepEqual(await take(other.client, 1), ["still here"]);
  t.diagnostic(`close code 1007 with the reason: ${vectors.length} of ${vectors.length}; others go on`);
});

test("the reader is slow", { timeout: 60_000 }, async (t) => {
  const server = startProgram(fixture("ticking-server"));
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const delays: number[] = [];
  const quick = await Promise.all(Array.from({ length: 50 }, () => open(t, url, ECHO)));
  let isCounting = false;
  for (const socket of quick) {
    socket.on("message", (data) => {
      const { at } = JSON.parse(data.toString());
      if (isCounting) delays.push(performance.timeOrigin + performance.now() - at);
    });
  }
  await sleep(500);
  const idleMib = residentMib(server.pid);
  isCounting = true;
  const slow = await dialUpgraded(t, url);
  slow.pause();
  await server.waitForLine(/reads slowly/);
  const line = await server.waitForLine(/dropped/);
  isCounting = false;
  assert.match(line, /Cannot send to a peer that does not read: \d+ bytes wait, limit is 4194304$/);
  const grownMib = (residentMib(server.pid) ?? 0) - (idleMib ?? 0);
  assert.ok(grownMib < 32, `grew by ${grownMib} MiB`);
  delays.sort((a, b) => a - b);
  const median = delays[delays.length >> 1] ?? Number.NaN;
  assert.ok(delays.length > 5_000, `${delays.length} messages`);
  assert.ok(median < 250, `the quick ones waited ${median} ms`);
  assert.equal(quick.filter(({ readyState }) => readyState === quick[0]?.OPEN).length, 50);
  t.diagnostic(`paused at 1 MiB, dropped at 4 MiB; 50 others get theirs after ${median.toFixed(0)} ms`);
});

test("the peer is killed", { timeout }, async (t) => {
  const { url, told } = await serve(t);
  const other = await join(t, url);
  const victim = startProgram(fixture("half-message"), [url]);
  t.after(() => victim.stop("SIGKILL"));
  await victim.waitForLine(/sent/);
  const killedAt = performance.now();
  await victim.stop("SIGKILL");
  assert.equal((await told("closed")).code, 1006);
  const noticedMs = performance.now() - killedAt;
  assert.ok(noticedMs < 1_000, `noticed after ${noticedMs} ms`);
  other.client.send("still here");
  assert.deepEqual(await take(other.client, 1), ["still here"]);
  t.diagnostic(`noticed after ${noticedMs.toFixed(0)} ms, others go on`);
});

test("the peer goes silent", { timeout }, async (t) => {
  const heartbeatMs = 500;
  const { url, told } = await serve(t, { heartbeatMs });
  const client = startProgram(bin("client"), [url, "--first", "server"]);
  t.after(() => client.stop("SIGKILL"));
  await told("connected");
  // Still there after more than two intervals: it answers.
  await sleep(3 * heartbeatMs);
  process.kill(client.pid, "SIGSTOP");
  const serverNoticedMs = await timed(told("dropped"));
  assert.ok(serverNoticedMs < 2 * heartbeatMs + 500, `the server noticed after ${serverNoticedMs} ms`);

  const stalled = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => stalled.stop("SIGKILL"));
  const ours = await join(t, await stalled.ready, { heartbeatMs, waitMs: 0, connectTimeoutMs: 100 });
  const bare = await join(t, await stalled.ready, { heartbeatMs, waitMs: 0, protocol: ECHO });
  process.kill(stalled.pid, "SIGSTOP");
  const clientNoticedMs = await timed(Promise.all([ours.told("disconnected"), bare.told("disconnected")]));
  assert.ok(clientNoticedMs < 2 * heartbeatMs + 500, `the client noticed after ${clientNoticedMs} ms`);
  await Promise.all([ours.client.close(), bare.client.close()]);
  t.diagnostic(
    `within two of heartbeatMs ${heartbeatMs}: server ${ms(serverNoticedMs)}, client ${ms(clientNoticedMs)}`,
  );
});

const ms = (time: number) => `${time.toFixed(0)} ms`;

async function timed(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

test("the client starts first", { timeout }, async (t) => {
  const url = await freeUrl();
  let waits = 0;
  const connecting = connect(url, { onEvent: ({ type }) => type === "waiting" && waits++ });
  await until(() => waits === 1);
  const startedAt = performance.now();
  const server = await startServer({ port: Number(new URL(url).port) });
  t.after(() => server.close());
  const client = await connecting;
  t.after(() => client.close());
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 3_000, `connected ${waitedMs} ms after the server was there`);
  assert.equal(waits, 1, "says once that it waits");
  client.send("at last");
  assert.deepEqual(await take(client, 1), ["at last"]);
  await client.close();
  t.diagnostic(`waits, connected ${waitedMs.toFixed(0)} ms after the server was there`);
});

test("the server restarts", { timeout }, async (t) => {
  const first = await serve(t, { handler: () => new Promise(() => {}), graceMs: 0 });
  const { client, told } = await join(t, first.url, { reconnectMs: 4_000 });
  client.send("in flight");
  await first.server.close();
  await told("disconnected");
  client.send("next");
  const restartedAt = performance.now();
  const second = await serve(t, { port: Number(new URL(first.url).port) });
  assert.deepEqual(await take(client, 1), ["next"]);
  const backMs = performance.now() - restartedAt;
  assert.ok(backMs < 6_000, `back after ${backMs} ms, within reconnectMs`);
  assert.deepEqual((await told("lost")).sent, ["in flight"]);

  // A cut alone loses nothing.
  const cutter = await startCutter(t, second.url);
  const cut = await join(t, cutter.url);
  cut.client.send(1);
  cutter.cut();
  cut.client.send(2);
  assert.deepEqual(await take(cut.client, 2), [1, 2]);
  t.diagnostic(`in flight: told as lost; the next goes on after ${backMs.toFixed(0)} ms; a cut alone loses nothing`);
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
  const server = startProgram(fixture("counting-server"));
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  let answered = 0;
  let isStopping = false;
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(url, { waitMs: 0, protocol: ECHO })));
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const load = clients.map(async (client) => {
    for (let sent = 0; sent < 10; sent++) client.send("work");
    try {
      for await (const _answer of client) {
        answered++;
        // What came before the close is counted, though nothing more can be sent.
        if (!isStopping) client.send("work");
      }
    } catch {
      // The server is gone.
    }
  });
  await until(() => answered > 200);
  isStopping = true;
  const toldAt = performance.now();
  const { code } = await server.stop("SIGTERM");
  const tookMs = performance.now() - toldAt;
  await Promise.all(load);
  const begun = Number(/begun (\d+)/.exec(server.output.join())?.[1]);
  assert.equal(code, 0);
  assert.equal(answered, begun, "what was begun is answered");
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  t.diagnostic(`${answered} answered of ${begun} begun, then close code 1001; exit 0 after ${tookMs.toFixed(0)} ms`);
});

test("two clients at once", { timeout }, async (t) => {
  let release = (_reply: unknown) => {};
  const { url } = await serve(t, {
    handler: (message) =>
      message === "slow"
        ? new Promise((resolve) => {
            release = resolve;
          })
        : message,
  });
  const [slow, quick] = [await join(t, url), await join(t, url)];
  slow.client.send("slow");
  const quickMs = await timed(
    (async () => {
      for (let i = 0; i < 100; i++) {
        quick.client.send(i);
        assert.deepEqual(await take(quick.client, 1), [i]);
      }
    })(),
  );
  release("done");
  assert.deepEqual(await take(slow.client, 1), ["done"]);
  t.diagnostic(`${quickMs.toFixed(0)} ms for 100 messages beside one that is stuck`);
});
