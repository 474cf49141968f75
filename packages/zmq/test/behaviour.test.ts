import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { residentMib, signalled, until } from "@ipc/core/testing";
import { Dealer } from "zeromq";
import { connect, startServer } from "../src/index.ts";
import { bytes, cutWire, fixture, freeUrl, record, serve, start, text } from "./support.ts";

const timeout = 30_000;

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const { url } = await serve(t);
  const client = await connect(await cutWire(t, url, 1));
  t.after(() => client.close());
  const messages = ["one", "", "two words", "é — 漢 🙂", "x".repeat(300)];
  const replies = await Promise.all(messages.map((message) => client.request(bytes(message))));
  assert.deepEqual(replies.map(text), messages);
  t.diagnostic(`ZeroMQ keeps borders: ${messages.length} messages byte by byte, all whole`);
});

test("a message is too large", { timeout }, async (t) => {
  const { url, told } = await serve(t);
  const other = await connect(url);
  t.after(() => other.close());
  const foreign = new Dealer({ linger: 0 });
  t.after(() => foreign.close());
  foreign.connect(url);
  await foreign.send(["", new Uint8Array(1_048_577)]);
  await told("disconnected");
  await assert.rejects(other.request(new Uint8Array(1_048_577)), {
    code: "ERR_FRAME_TOO_LARGE",
    message: "Cannot send frame of 1048577 bytes: limit is 1048576",
  });
  assert.equal(text(await other.request(bytes("still here"))), "still here");
  t.diagnostic("our client does not send above 1 MiB, another's is disconnected");
});

test("a message is malformed", { timeout }, async (t) => {
  let handled = 0;
  const { url, count } = await serve(t, {
    handler(message) {
      handled++;
      return message;
    },
  });
  const foreign = new Dealer({ linger: 0 });
  t.after(() => foreign.close());
  foreign.connect(url);
  const malformed = [["no empty frame"], ["", "two", "bodies"], [""], ["", "", "x"]];
  for (const frames of malformed) {
    await foreign.send(frames);
    const reply = (await foreign.receive()).map(String);
    assert.deepEqual(reply.slice(0, 2), ["", "ERR_REQUEST"], JSON.stringify(frames));
  }
  assert.equal(handled, 0, "nothing reached the handler");
  assert.equal(count("failed"), malformed.length, "told once each");
  const other = await connect(url);
  t.after(() => other.close());
  assert.equal(text(await other.request(bytes("still here"))), "still here");
  t.diagnostic(`answered with an error, told once: ${malformed.length} of ${malformed.length}`);
});

test("the reader is slow", { timeout }, async (t) => {
  const pushing = start(t, fixture("pushing"));
  const url = await pushing.ready;
  const before = residentMib(pushing.pid) ?? 0;
  start(t, fixture("slow-puller"), [url, "10"]);
  const [, sent = ""] = /stalled after (\d+)/.exec(await pushing.waitForLine(/stalled/)) ?? [];
  // High-water marks of both sides, and what the system's buffers hold.
  assert.ok(Number(sent) >= 20 && Number(sent) < 500, `took ${sent} messages of 64 KiB`);
  const grownMib = (residentMib(pushing.pid) ?? 0) - before;
  assert.ok(grownMib < 32, `grew by ${grownMib} MiB`);
  t.diagnostic(`push stalls after ${sent} of 64 KiB at a mark of 10, grows by ${grownMib.toFixed(0)} MiB`);
});

test("the peer is killed", { timeout }, async (t) => {
  const asked = signalled();
  const gate = signalled();
  const { url, told } = await serve(t, {
    async handler(message) {
      if (text(message) !== "held") return message;
      asked.resolve();
      await gate.promise;
      return message;
    },
  });
  const other = await connect(url);
  t.after(() => other.close());
  const victim = start(t, fixture("hold-request"), [url]);
  await asked.promise;
  const killedAt = performance.now();
  await victim.stop("SIGKILL");
  await told("disconnected");
  const noticedMs = performance.now() - killedAt;
  assert.ok(noticedMs < 2_000, `noticed after ${noticedMs} ms`);
  gate.resolve();
  await told("undeliverable");
  assert.equal(text(await other.request(bytes("still here"))), "still here");
  t.diagnostic(`noticed after ${noticedMs.toFixed(0)} ms, its reply is dropped and told, others go on`);
});

test("the peer goes silent", { timeout }, async (t) => {
  const server = start(t, "server", ["--port", "0"]);
  const recorded = record();
  const client = await connect(await server.ready, { timeoutMs: 200, tries: 3, onEvent: recorded.onEvent });
  t.after(() => client.close());
  process.kill(server.pid, "SIGSTOP");
  const askedAt = performance.now();
  await assert.rejects(client.request(bytes("anybody?")), { code: "ETIMEDOUT" });
  const waitedMs = performance.now() - askedAt;
  assert.ok(waitedMs >= 590 && waitedMs < 1_500, `gave up after ${waitedMs} ms`);
  process.kill(server.pid, "SIGCONT");
  assert.equal(text(await client.request(bytes("again"))), "Message Received");

  const stopped = start(t, fixture("hold-request"), [await serveSilently(t, recorded)]);
  await stopped.waitForLine(/sent/);
  const before = recorded.count("disconnected");
  process.kill(stopped.pid, "SIGSTOP");
  const silentAt = performance.now();
  await until(() => recorded.count("disconnected") > before);
  const noticedMs = performance.now() - silentAt;
  assert.ok(noticedMs < 6_000, `noticed after ${noticedMs} ms`);
  t.diagnostic(`client: ${waitedMs.toFixed(0)} ms, 3 tries of 200; server: ${noticedMs.toFixed(0)} ms by heartbeat`);
});

async function serveSilently(t: Parameters<typeof serve>[0], { onEvent }: ReturnType<typeof record>) {
  const { url } = await serve(t, { handler: () => new Promise(() => {}), graceMs: 0, onEvent });
  return url;
}

test("the client starts first", { timeout }, async (t) => {
  const url = await freeUrl();
  const recorded = record();
  const connecting = connect(url, { onEvent: recorded.onEvent });
  await recorded.told("waiting");
  const startedAt = performance.now();
  const server = await startServer({ url });
  t.after(() => server.close());
  const client = await connecting;
  t.after(() => client.close());
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 2_500, `connected ${waitedMs} ms after the server was there`);
  assert.equal(recorded.count("waiting"), 1, "says once that it waits");
  assert.equal(text(await client.request(bytes("at last"))), "Message Received");
  t.diagnostic(`waits, connected ${waitedMs.toFixed(0)} ms after the server was there`);
});

test("the server restarts", { timeout }, async (t) => {
  const handled: string[] = [];
  const begun = signalled();
  const first = await startServer({
    handler(message) {
      handled.push(text(message));
      begun.resolve();
      return sleep(60_000, message, { ref: false });
    },
    graceMs: 0,
  });
  t.after(() => first.close());
  const client = await connect(first.url, { timeoutMs: 500 });
  t.after(() => client.close());
  const reply = client.request(bytes("in flight"));
  await begun.promise;
  await first.close();
  const restartedAt = performance.now();
  const second = await startServer({
    url: first.url,
    handler(message) {
      handled.push(text(message));
      return message;
    },
  });
  t.after(() => second.close());
  assert.equal(text(await reply), "in flight");
  const backMs = performance.now() - restartedAt;
  assert.ok(backMs < 2_500, `answered after ${backMs} ms`);
  assert.deepEqual(handled, ["in flight", "in flight"], "begun twice");
  t.diagnostic(`asked again, answered after ${backMs.toFixed(0)} ms; a request may be done twice`);
});

test("the port is taken", { timeout }, async (t) => {
  const { url } = await serve(t);
  const second = start(t, "server", ["--port", new URL(url).port]);
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.deepEqual(second.output, []);
  assert.deepEqual(second.errors, [`Cannot listen on ${url}: the port is taken. Try --port 0`]);
  t.diagnostic("one line, exit code 1");
});

test("it is told to stop", { timeout }, async (t) => {
  const server = start(t, fixture("counting-server"));
  const url = await server.ready;
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(url, { timeoutMs: 1_000, tries: 1 })));
  t.after(() => Promise.all(clients.map((client) => client.close())));
  let answered = 0;
  let unanswered = 0;
  const load = clients.map(async (client) => {
    while (unanswered < 20) {
      try {
        await client.request(bytes("work"));
        answered++;
      } catch {
        unanswered++;
        return;
      }
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
  t.diagnostic(`${answered} answered of ${begun} begun, the rest ETIMEDOUT; exit 0 after ${tookMs.toFixed(0)} ms`);
});

test("two clients at once", { timeout }, async (t) => {
  const gate = signalled<Uint8Array>();
  const { url } = await serve(t, { handler: (message) => (text(message) === "slow" ? gate.promise : message) });
  const [slow, quick] = await Promise.all([connect(url), connect(url)]);
  t.after(() => Promise.all([slow.close(), quick.close()]));
  const waiting = slow.request(bytes("slow"));
  const askedAt = performance.now();
  for (let i = 0; i < 100; i++) assert.equal(text(await quick.request(bytes(`quick ${i}`))), `quick ${i}`);
  const quickMs = performance.now() - askedAt;
  gate.resolve(bytes("done"));
  assert.equal(text(await waiting), "done");
  t.diagnostic(`${quickMs.toFixed(0)} ms for 100 requests beside one that is stuck`);
});
