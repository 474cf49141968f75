import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect, openSender, startReceiver, startServer } from "../src/index.ts";
import { bin, bytes, dial, freeUrl, receive, serve, text } from "./support.ts";

const timeout = 30_000;
const countingServer = new URL("fixtures/counting-server.ts", import.meta.url);

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const { url, messages } = await receive(t);
  const sender = await openSender(url);
  t.after(() => sender.close());
  const count = 1_000;
  for (let index = 0; index < count; index++) {
    await sender.send(new Uint8Array(index).fill(index));
    // A pause, so that this shows borders and not loss.
    if (index % 20 === 19) await sender.ping();
  }
  await until(() => messages.length === count);
  for (const [index, { message }] of messages.entries()) {
    assert.deepEqual(Buffer.from(message), Buffer.alloc(index, index), `message ${index}`);
  }
  t.diagnostic(`UDP keeps borders: ${count} of ${count} whole`);
});

test("a message is too large", { timeout }, async (t) => {
  const { url, messages } = await receive(t);
  const events: unknown[] = [];
  const sender = await openSender(url, { onEvent: (event) => events.push(event) });
  t.after(() => sender.close());
  const { url: serverUrl } = await serve(t);
  const client = await connect(serverUrl);
  t.after(() => client.close());

  await assert.rejects(sender.send(new Uint8Array(65_508 - 18)), { code: "EMSGSIZE", maxDatagramBytes: 65_507 });
  await assert.rejects(client.request(new Uint8Array(65_508 - 30)), { code: "EMSGSIZE", maxDatagramBytes: 65_507 });
  await sender.send(new Uint8Array(1_201));
  assert.equal(events.length, 1);
  await sender.send(bytes("still here"));
  await until(() => messages.length === 2);
  t.diagnostic("refused above 65,507 bytes before it is sent; advice above 1,200");
});

test("a message is malformed", { timeout }, async (t) => {
  const { receiver, url, events, messages } = await receive(t);
  const sender = await openSender(url);
  t.after(() => sender.close());
  const socket = await dial(t, url);
  const count = 200;
  for (let index = 0; index < count; index++) {
    socket.send(Buffer.concat([Uint8Array.of(0xff), randomBytes(index)]));
    if (index % 20 === 19) await sender.ping();
  }
  await until(() => receiver.counts().malformed >= count);
  await sender.send(bytes("still here"));
  await until(() => messages.length === 1);
  assert.equal(receiver.counts().malformed, count);
  assert.ok(events.length <= 2, "told at most once a second");
  assert.deepEqual(events[0]?.type, "malformed");
  t.diagnostic(`dropped and counted, ${count} of ${count}; logged once a second`);
});

test("the reader is slow", { timeout }, async (t) => {
  const stalled = startProgram(new URL("fixtures/stalled-receiver.ts", import.meta.url));
  t.after(() => stalled.stop("SIGKILL"));
  const sender = await openSender(await stalled.ready);
  t.after(() => sender.close());
  const message = new Uint8Array(1_000);
  let sent = 0;
  async function push(count: number) {
    for (let index = 0; index < count; index++) {
      await sender.send(message);
      // Waits for nothing but the system: the reader's being slow does not slow this down.
      if (++sent % 100 === 0) await sender.ping();
    }
  }
  // The heap grows to its working size first; the queue is full by then.
  await push(10_000);
  const before = residentMib(stalled.pid);
  await push(20_000);
  await sender.ping();
  const grownMib = (residentMib(stalled.pid) ?? 0) - (before ?? 0);
  await stalled.stop();
  const counts = JSON.parse(stalled.output.at(-1) ?? "");
  assert.equal(counts.received + counts.lost, sent);
  // The one that was read does not wait any more.
  const waiting = counts.received - counts.dropped - 1;
  assert.equal(waiting, Math.ceil(8_388_608 / (1_000 + 1_024)), "what 8 MiB hold");
  assert.ok(grownMib < 16, `grew by ${grownMib} MiB`);
  const held = before === undefined ? "" : `; grows by ${grownMib.toFixed(1)} MiB (bound: 16)`;
  t.diagnostic(`${waiting.toLocaleString("en")} wait, the rest dropped and counted${held}`);
});

test("the peer is killed", { timeout }, async (t) => {
  const victim = startProgram(bin("receiver"), ["--port", "0"]);
  t.after(() => victim.stop("SIGKILL"));
  const other = await receive(t);
  const events: string[] = [];
  const sender = await openSender(await victim.ready, { onEvent: ({ type }) => events.push(type) });
  const otherSender = await openSender(other.url);
  t.after(() => Promise.all([sender.close(), otherSender.close()]));
  await victim.stop("SIGKILL");
  const sentAt = performance.now();
  await sender.send(bytes("anybody?"));
  await until(() => events.includes("unreachable"), 1);
  const noticedMs = performance.now() - sentAt;
  assert.ok(noticedMs < 1_000, `noticed after ${noticedMs} ms`);
  await assert.rejects(sender.ping(), { code: "ECONNREFUSED" });
  await otherSender.send(bytes("still here"));
  await until(() => other.messages.length === 1);
  t.diagnostic(`told ${noticedMs.toFixed(0)} ms after the next datagram (ICMP)`);
});

test("the peer goes silent", { timeout }, async (t) => {
  const stopped = startProgram(countingServer);
  t.after(() => stopped.stop("SIGKILL"));
  const client = await connect(await stopped.ready, { timeoutMs: 300 });
  t.after(() => client.close());
  process.kill(stopped.pid, "SIGSTOP");
  const askedAt = performance.now();
  await assert.rejects(client.request(bytes("anybody?")), { code: "ETIMEDOUT" });
  const waitedMs = performance.now() - askedAt;
  assert.ok(waitedMs < 600, `gave up after ${waitedMs} ms`);
  process.kill(stopped.pid, "SIGCONT");
  assert.equal(text(await client.request(bytes("again"), { timeoutMs: 5_000 })), "again");
  t.diagnostic(`request: after ${waitedMs.toFixed(0)} ms at timeoutMs 300; sender: by ping()`);
});

test("the client starts first", { timeout }, async (t) => {
  const url = await freeUrl();
  let waits = 0;
  const opening = openSender(url, {
    onEvent: ({ type }) => {
      if (type === "waiting") waits++;
    },
  });
  await until(() => waits === 1);
  const startedAt = performance.now();
  const { messages } = await receive(t, { port: Number(new URL(url).port) });
  const sender = await opening;
  t.after(() => sender.close());
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 2_000, `open ${waitedMs} ms after the receiver was there`);
  assert.equal(waits, 1, "says once that it waits");
  await sender.send(bytes("at last"));
  await until(() => messages.length === 1);
  t.diagnostic(`asks on, open ${waitedMs.toFixed(0)} ms after the receiver was there`);
});

test("the server restarts", { timeout }, async (t) => {
  const url = await freeUrl();
  const port = Number(new URL(url).port);
  const first = await startServer({ port, handler: () => new Promise(() => {}), graceMs: 0 });
  t.after(() => first.close());
  const client = await connect(url);
  t.after(() => client.close());
  const lost = assert.rejects(client.request(bytes("in flight")), { code: "ECONNRESET" });
  await until(() => first.counts().executed === 1);
  await first.close();
  const { server: second } = await serve(t, { port });
  await lost;
  assert.equal(text(await client.request(bytes("next"))), "next");
  assert.equal(second.counts().executed, 1, "what was in flight is not done again");
  await second.close();

  const receiver = await startReceiver({ port });
  const sender = await openSender(url);
  t.after(() => sender.close());
  await receiver.close();
  for (let count = 0; count < 5; count++) await sender.send(bytes("nobody gets this"));
  const { messages, texts } = await receive(t, { port });
  await sender.send(bytes("carried on"));
  await until(() => messages.length > 0);
  assert.deepEqual(texts(), ["carried on"]);
  t.diagnostic("in flight: ECONNRESET, never done twice; senders carry on");
});

test("the port is taken", { timeout }, async (t) => {
  const { url } = await receive(t);
  const second = startProgram(bin("receiver"), ["--port", new URL(url).port]);
  t.after(() => second.stop("SIGKILL"));
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.deepEqual(second.output, []);
  assert.deepEqual(second.errors, [`Cannot listen on ${url}: the port is taken. Try --port 0`]);
  t.diagnostic("one line, exit code 1");
});

test("it is told to stop", { timeout }, async (t) => {
  const server = startProgram(countingServer);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  let answered = 0;
  let unanswered = 0;
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect(url, { timeoutMs: 2_000, graceMs: 0 })));
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
  t.diagnostic(`${answered} answered of ${begun} begun, the rest ETIMEDOUT; exit 0 after ${tookMs.toFixed(0)} ms`);
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
