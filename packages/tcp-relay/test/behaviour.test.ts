import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect, startPeer } from "../src/index.ts";
import { bin, dial, frame, freeUrl, message, portOf, pushUntilStuck, range, serve, startLine } from "./support.ts";

const timeout = 60_000;

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const { url, received } = await serve(t);
  const bodies = ["one", "", { two: "words" }, "é — 漢 🙂"];
  const wireOf = (run: number) =>
    Buffer.concat(bodies.map((body, index) => frame(message(`${String(run).padStart(3, "0")}-${index}`, body))));
  const { length } = wireOf(0);
  for (let cut = 0; cut <= length; cut++) {
    const { socket, answered } = await dial(t, url);
    socket.write(wireOf(cut).subarray(0, cut));
    // Sent apart for certain: the first part has left before the second is written.
    await nextTurn();
    socket.end(wireOf(cut).subarray(cut));
    await answered(bodies.length);
    const found = received.splice(0).map(({ body }) => body);
    assert.deepEqual(found, bodies, `cut at byte ${cut}`);
  }
  t.diagnostic(`${bodies.length} messages glued, and cut at each of ${length} bytes: all whole`);
});

test("a message is too large", { timeout }, async (t) => {
  const { url, told } = await serve(t);
  const other = await connect(url);
  t.after(() => other.close());

  const { socket, answered, closed } = await dial(t, url);
  socket.write(frame(message("before")));
  assert.deepEqual(await answered(1), ["accepted"]);
  socket.write(Uint8Array.of(0x00, 0x10, 0x00, 0x01));
  const why = "Cannot read frame of 1048577 bytes: limit is 1048576";
  assert.deepEqual(await answered(2), ["accepted", why]);
  await closed;
  assert.equal((await told("dropped")).error.message, why);

  await assert.rejects(other.send("x".repeat(1_048_576)), { code: "ERR_FRAME_TOO_LARGE" });
  await other.send("still here");
  t.diagnostic("refused above 1 MiB before it is buffered, connection closed; our client does not send it");
});

test("a message is malformed", { timeout }, async (t) => {
  const { url, count, received } = await serve(t);
  const other = await connect(url);
  t.after(() => other.close());
  const good = message("good");
  const bad: unknown[] = ["", "{", "nonsense", "null", "1", [], {}, { ...good, origin: 1 }, { ...good, id: "a b" }];
  bad.push({ ...good, hops: 0 }, { ...good, hops: 17 }, { ...good, hops: "1" }, { ...good, body: undefined });
  const { socket, answered } = await dial(t, url);
  // An empty frame is a sign of life.
  const wrong = bad.filter((one) => one !== "");
  for (const one of bad) socket.write(frame(one));
  socket.write(Buffer.concat([Uint8Array.of(0, 0, 0, 2), Uint8Array.of(0xff, 0xfe)]));
  socket.write(frame(good));
  const answers = await answered(wrong.length + 2);
  assert.equal(answers.pop(), "accepted", "the connection goes on");
  for (const answer of answers) assert.match(answer, /^Cannot read message/);

  const connections = 200;
  for (let i = 0; i < connections; i++) {
    const random = await dial(t, url);
    random.socket.end(Buffer.concat([Uint8Array.of(0xff), randomBytes(64)]));
    assert.match((await random.answered(1))[0] ?? "", /^Cannot read frame of \d+ bytes/);
  }
  await other.send("still here");
  assert.equal(received.length, 2);
  assert.equal(count("rejected"), answers.length, "told once each");
  assert.equal(count("dropped"), connections, "told once each");
  t.diagnostic("no message: refused, the connection goes on; no frame: refused, connection closed");
});

test("the reader is slow", { timeout }, async (t) => {
  // The last peer takes messages and never answers them.
  const stuck = await serve(t, { onMessage: () => new Promise(() => {}), graceMs: 0 });
  const relay = startProgram(bin("peer"), ["--name", "relay", "--port", "0", "--next", stuck.url]);
  t.after(() => relay.stop("SIGKILL"));
  const url = await relay.ready;
  const { socket } = await dial(t, url);
  const idleMib = residentMib(relay.pid);

  const offered = 200_000_000;
  const body = "x".repeat(65_536);
  let id = 0;
  const taken = await pushUntilStuck(socket, offered, () => frame(message(`${id++}`, body)));
  assert.ok(taken > 16_000_000 && taken < 64_000_000, `the relay took ${taken} of ${offered} bytes`);
  const grownMib = (residentMib(relay.pid) ?? 0) - (idleMib ?? 0);
  assert.ok(grownMib < 48, `grew by ${grownMib} MiB`);
  assert.ok(!socket.destroyed, "it is slowed, not dropped");
  const held = idleMib === undefined ? "" : `, relay grows by ${grownMib.toFixed(0)} MiB (bound: 48)`;
  t.diagnostic(`200 MB pushed: stalls after ${(taken / 1e6).toFixed(0)} MB${held}`);
});

test("the peer is killed", { timeout }, async (t) => {
  const { url, told } = await serve(t);
  const other = await connect(url);
  t.after(() => other.close());
  const victim = startProgram(new URL("fixtures/half-message.ts", import.meta.url), [url]);
  t.after(() => victim.stop("SIGKILL"));
  await victim.waitForLine(/sent/);
  const killedAt = performance.now();
  await victim.stop("SIGKILL");
  await told("dropped");
  const noticedMs = performance.now() - killedAt;
  assert.ok(noticedMs < 1_000, `noticed after ${noticedMs} ms`);
  await other.send("still here");
  t.diagnostic(`noticed after ${noticedMs.toFixed(0)} ms, others go on`);
});

test("the peer goes silent", { timeout }, async (t) => {
  const next = startProgram(bin("peer"), ["--port", "0"]);
  t.after(() => next.stop("SIGKILL"));
  const relay = await serve(t, { name: "relay", next: await next.ready, heartbeatMs: 200 });
  const client = await connect(relay.url, { heartbeatMs: 100 });
  t.after(() => client.close());
  await client.send("before");

  // Half open, as after a power cut: the next peer, and one that sends to us.
  const mute = await dial(t, relay.url);
  process.kill(next.pid, "SIGSTOP");
  const stoppedAt = performance.now();
  await relay.told("disconnected");
  const noticedMs = performance.now() - stoppedAt;
  assert.ok(noticedMs < 2 * 200 + 1_000, `noticed after ${noticedMs} ms`);
  const { error } = await relay.told("dropped");
  assert.equal(error.message, "Cannot keep connection: the peer said nothing for 400 ms");
  await mute.closed;

  const sent = client.send("meanwhile");
  process.kill(next.pid, "SIGCONT");
  await sent;
  t.diagnostic(`cut off after ${noticedMs.toFixed(0)} ms at heartbeatMs 200, both ways; sent again when it is back`);
});

test("the client starts first", { timeout }, async (t) => {
  const url = await freeUrl();
  const b = await serve(t, { name: "b", next: url });
  const sent = b.peer.send("at last");
  await b.told("waiting");
  const startedAt = performance.now();
  const a = await serve(t, { name: "a", port: portOf(url), next: b.url });
  await sent;
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 2_000, `there and back ${waitedMs} ms after a was there`);
  assert.equal(b.count("waiting"), 1, "says once that it waits");
  assert.equal(a.count("passed"), 1);
  t.diagnostic(`waits, there and back ${waitedMs.toFixed(0)} ms after the other peer was there`);
});

test("the server restarts", { timeout }, async (t) => {
  const final = await serve(t);
  const url = await freeUrl();
  const options = { name: "relay", port: portOf(url), next: final.url, graceMs: 0 };
  const first = await startPeer(options);
  const client = await connect(url);
  t.after(() => client.close());
  const sent = Promise.all(range(5_000).map((id) => client.send(id, { id })));
  await final.until(() => final.received.length > 500);
  await first.close();
  const restartedAt = performance.now();
  const second = await startPeer(options);
  t.after(() => second.close());
  await client.send("next");
  const backMs = performance.now() - restartedAt;
  await sent;
  const ids = new Set(final.received.map(({ id }) => id));
  assert.equal(ids.size, 5_001, "none is lost");
  assert.equal(final.received.length, 5_001, "none is delivered twice");
  assert.ok(backMs < 2_000, `back after ${backMs} ms`);
  t.diagnostic(`goes on after ${backMs.toFixed(0)} ms: 0 of 5,001 lost, 0 delivered twice`);
});

test("the port is taken", { timeout }, async (t) => {
  const { url } = await serve(t);
  const second = startProgram(bin("peer"), ["--port", `${portOf(url)}`, "--next", url]);
  t.after(() => second.stop("SIGKILL"));
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.deepEqual(second.output, []);
  assert.deepEqual(second.errors, [`Cannot listen on ${url}: the port is taken. Try --port 0`]);
  t.diagnostic("one line, exit code 1");
});

test("it is told to stop", { timeout }, async (t) => {
  const peer = startProgram(new URL("fixtures/slow-peer.ts", import.meta.url));
  t.after(() => peer.stop("SIGKILL"));
  const url = await peer.ready;
  const clients = await Promise.all(range(20).map((name) => connect(url, { name, graceMs: 0 })));
  let answered = 0;
  let unanswered = 0;
  const load = clients.flatMap((client) =>
    Array.from({ length: 10 }, async () => {
      try {
        for (;;) {
          await client.send("work");
          answered++;
        }
      } catch {
        unanswered++;
      }
    }),
  );
  await until(() => answered > 500);
  const toldAt = performance.now();
  const { code } = await peer.stop("SIGTERM");
  const tookMs = performance.now() - toldAt;
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all(load);
  const taken = Number(/taken (\d+)/.exec(peer.output.join())?.[1]);
  assert.equal(code, 0);
  assert.equal(answered, taken, "what was taken is answered");
  assert.ok(unanswered > 0, "it was told to stop with messages on their way");
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  t.diagnostic(
    `${answered} answered of ${taken} taken, the rest stays with the sender; exit 0 after ${tookMs.toFixed(0)} ms`,
  );
});

test("two clients at once", { timeout }, async (t) => {
  let release = () => {};
  const { relay, client: slow } = await startLine(t, {
    final: {
      onMessage: ({ body }) =>
        body === "slow"
          ? new Promise<void>((resolve) => {
              release = resolve;
            })
          : undefined,
    },
  });
  const quick = await connect(relay.url, { name: "quick" });
  t.after(() => quick.close());
  const waiting = slow.send("slow");
  const sentAt = performance.now();
  for (const body of range(100)) await quick.send(body);
  const quickMs = performance.now() - sentAt;
  release();
  await waiting;
  t.diagnostic(`${quickMs.toFixed(0)} ms for 100 messages beside one that is stuck, through the same relay`);
});
