import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect, startChild, startServer } from "../src/index.ts";
import { bin, bytes, command, dial, frame, freeUrl, noise, receive, serve, text } from "./support.ts";

const timeout = 20_000;

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const { url } = await serve(t);
  const messages = ["one", "", "two words", "é — 漢 🙂"];
  const wire = Buffer.concat(messages.map((message) => frame(message)));
  for (let cut = 0; cut <= wire.length; cut++) {
    const socket = await dial(t, url);
    socket.write(wire.subarray(0, cut));
    // Sent apart for certain: the first part has left before the second is written.
    await new Promise((resolve) => setImmediate(resolve));
    socket.end(wire.subarray(cut));
    assert.deepEqual(await receive(socket), wire, `cut at byte ${cut}`);
  }
  t.diagnostic(`${messages.length} messages glued, and cut at each of ${wire.length} bytes: all whole`);
});

test("a message is too large", { timeout }, async (t) => {
  const { url, told } = await serve(t);
  const other = await connect(url);
  t.after(() => other.close());

  const socket = await dial(t, url);
  socket.write(frame("before"));
  socket.write(Uint8Array.of(0x00, 0x10, 0x00, 0x01));
  assert.deepEqual(await receive(socket), Buffer.from(frame("before")), "what came before is answered");
  const { error } = await told("dropped");
  assert.equal(error.message, "Cannot read frame of 1048577 bytes: limit is 1048576");

  await assert.rejects(other.request(new Uint8Array(1_048_577)), { code: "ERR_FRAME_TOO_LARGE" });
  assert.equal(text(await other.request(bytes("still here"))), "still here");
  t.diagnostic("refused above 1 MiB before it is buffered, connection closed; our client does not send it");
});

test("a message is malformed", { timeout }, async (t) => {
  const { url, events } = await serve(t, { maxFrameBytes: 1_024 });
  const other = await connect(url);
  t.after(() => other.close());
  const connections = 200;
  for (let i = 0; i < connections; i++) {
    const socket = await dial(t, url);
    const received = receive(socket);
    socket.end(Buffer.concat([Uint8Array.of(0xff), noise(64)]));
    assert.equal((await received).length, 0);
  }
  const dropped = await until(() => {
    const found = events.filter(({ type }) => type === "dropped");
    return found.length >= connections && found;
  });
  assert.equal(dropped.length, connections, "told once each");
  assert.equal(text(await other.request(bytes("still here"))), "still here");
  t.diagnostic(`connection closed, told once: ${dropped.length} of ${connections}`);
});

test("the reader is slow", { timeout }, async (t) => {
  const server = startProgram(bin("server"), [await freeUrl(t)]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const other = await connect(url);
  t.after(() => other.close());
  await other.request(bytes("warm"));
  const idleMib = residentMib(server.pid);

  const socket = await dial(t, url);
  socket.pause();
  const message = frame(new Uint8Array(65_536));
  const offered = 400_000_000;
  let taken = 0;
  const push = () => {
    if (taken < offered) socket.write(message, onTaken);
  };
  const onTaken = (error?: Error | null) => {
    if (error) return;
    taken += message.length;
    push();
  };
  push();
  // It stalls: for half a second the system takes no more.
  let before = -1;
  await until(() => {
    const isStalled = taken === before;
    before = taken;
    return isStalled;
  }, 500);

  assert.ok(taken < 64_000_000, `the server took ${taken} of ${offered} bytes`);
  assert.equal(text(await other.request(bytes("still here"))), "still here");
  const grownMib = (residentMib(server.pid) ?? 0) - (idleMib ?? 0);
  assert.ok(grownMib < 16, `grew by ${grownMib} MiB`);
  const held = idleMib === undefined ? "" : `, server grows by ${grownMib.toFixed(1)} MiB (bound: 16)`;
  t.diagnostic(`400 MB pushed: stalls after ${(taken / 1e6).toFixed(1)} MB${held}`);
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
  assert.equal(text(await other.request(bytes("still here"))), "still here");

  const child = await startChild(command(new URL("fixtures/child.ts", import.meta.url)));
  t.after(() => child.close());
  const pid = Number(text(await child.request(bytes("pid"))));
  const lost = assert.rejects(child.request(bytes("stuck")), { code: "ECONNRESET" });
  const childKilledAt = performance.now();
  process.kill(pid, "SIGKILL");
  await lost;
  const childMs = performance.now() - childKilledAt;
  assert.ok(childMs < 1_000, `noticed after ${childMs} ms`);
  t.diagnostic(`noticed after ${noticedMs.toFixed(0)} ms, a child after ${childMs.toFixed(0)} ms; others go on`);
});

test("the peer goes silent", { timeout }, async (t) => {
  const { url, events } = await serve(t, { frameTimeoutMs: 200, idleTimeoutMs: 400 });
  const dripping = await dial(t, url);
  dripping.write(frame("abc").subarray(0, 5));
  const mute = await dial(t, url);
  await Promise.all([receive(dripping), receive(mute)]);
  const errors = events.flatMap((event) => (event.type === "dropped" ? [event.error.message] : []));
  assert.deepEqual(errors.sort(), [
    "Cannot keep connection: nothing moved for 400 ms",
    "Cannot read frame: it was not whole after 200 ms",
  ]);

  const stopped = startProgram(bin("server"), [await freeUrl(t)]);
  t.after(() => stopped.stop("SIGKILL"));
  const client = await connect(await stopped.ready, { timeoutMs: 300 });
  t.after(() => client.close());
  process.kill(stopped.pid, "SIGSTOP");
  const askedAt = performance.now();
  await assert.rejects(client.request(bytes("anybody?")), { code: "ETIMEDOUT" });
  const waitedMs = performance.now() - askedAt;
  assert.ok(waitedMs < 600, `gave up after ${waitedMs} ms`);
  process.kill(stopped.pid, "SIGCONT");
  assert.equal(text(await client.request(bytes("again"))), "again");
  t.diagnostic(`client: after ${waitedMs.toFixed(0)} ms at timeoutMs 300; server: frameTimeoutMs, idleTimeoutMs`);
});

test("the client starts first", { timeout }, async (t) => {
  const url = await freeUrl(t);
  let waits = 0;
  const connecting = connect(url, {
    onEvent: ({ type }) => {
      if (type === "waiting") waits++;
    },
  });
  await until(() => waits === 1);
  const startedAt = performance.now();
  const server = await startServer({ url });
  t.after(() => server.close());
  const client = await connecting;
  t.after(() => client.close());
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 2_000, `connected ${waitedMs} ms after the server was there`);
  assert.equal(waits, 1, "says once that it waits");
  assert.equal(text(await client.request(bytes("at last"))), "at last");
  t.diagnostic(`waits, connected ${waitedMs.toFixed(0)} ms after the server was there`);
});

test("the server restarts", { timeout }, async (t) => {
  const first = await startServer({
    url: await freeUrl(t),
    handler: (message) => sleep(60_000, message, { ref: false }),
    graceMs: 0,
  });
  t.after(() => first.close());
  const client = await connect(first.url);
  t.after(() => client.close());
  const lost = assert.rejects(client.request(bytes("in flight")), { code: "ECONNRESET" });
  await first.close();
  await lost;

  const next = client.request(bytes("next"));
  const restartedAt = performance.now();
  const second = await startServer({ url: first.url });
  t.after(() => second.close());
  assert.equal(text(await next), "next");
  const backMs = performance.now() - restartedAt;
  assert.ok(backMs < 2_000, `back after ${backMs} ms`);
  t.diagnostic(
    `in flight: ECONNRESET, done or not unknown; the next reconnects, answered after ${backMs.toFixed(0)} ms`,
  );
});

test("the port is taken", { timeout }, async (t) => {
  const { url } = await serve(t);
  const second = startProgram(bin("server"), [url]);
  t.after(() => second.stop("SIGKILL"));
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.deepEqual(second.output, []);
  const advice = "End that one, or choose another path";
  assert.deepEqual(second.errors, [`Cannot listen on ${url}: somebody listens there already. ${advice}`]);

  const killed = startProgram(bin("server"), [await freeUrl(t)]);
  t.after(() => killed.stop("SIGKILL"));
  const staleUrl = await killed.ready;
  await killed.stop("SIGKILL");
  const third = await startServer({ url: staleUrl });
  t.after(() => third.close());
  const client = await connect(staleUrl);
  t.after(() => client.close());
  assert.equal(text(await client.request(bytes("replaced"))), "replaced");
  t.diagnostic("one line, exit code 1; a dead server's file is replaced");
});

test("it is told to stop", { timeout }, async (t) => {
  const server = startProgram(new URL("fixtures/counting-server.ts", import.meta.url), [await freeUrl(t)]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  let answered = 0;
  let unanswered = 0;
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(url, { waitMs: 0 })));
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const load = clients.map(async (client) => {
    for (;;) {
      const results = await Promise.allSettled(Array.from({ length: 10 }, () => client.request(bytes("work"))));
      const fulfilled = results.filter(({ status }) => status === "fulfilled").length;
      answered += fulfilled;
      unanswered += results.length - fulfilled;
      if (fulfilled < results.length) return;
    }
  });
  await until(() => answered > 200);
  const toldAt = performance.now();
  const { code } = await server.stop("SIGTERM");
  const tookMs = performance.now() - toldAt;
  await Promise.all(load);
  const begun = Number(/begun (\d+)/.exec(server.output.join())?.[1]);
  assert.equal(code, 0);
  assert.equal(answered, begun, "what was begun is answered");
  assert.ok(unanswered > 0, "it was told to stop with requests in flight");
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  t.diagnostic(`${answered} answered of ${begun} begun, the rest ECONNRESET; exit 0 after ${tookMs.toFixed(0)} ms`);
});

test("two clients at once", { timeout }, async (t) => {
  let release = (_reply: Uint8Array) => {};
  const { url } = await serve(t, {
    handler: (message) =>
      text(message) === "slow"
        ? new Promise((resolve) => {
            release = resolve;
          })
        : message,
  });
  const [slow, quick] = await Promise.all([connect(url), connect(url)]);
  t.after(() => Promise.all([slow.close(), quick.close()]));
  const waiting = slow.request(bytes("slow"));
  const asked = performance.now();
  for (let i = 0; i < 100; i++) assert.equal(text(await quick.request(bytes(`quick ${i}`))), `quick ${i}`);
  const quickMs = performance.now() - asked;
  release(bytes("done"));
  assert.equal(text(await waiting), "done");
  t.diagnostic(`${quickMs.toFixed(0)} ms for 100 requests beside one that is stuck`);
});
