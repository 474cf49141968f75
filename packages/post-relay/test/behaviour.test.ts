import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect, type PostFailure, startRelay, startSink } from "../src/index.ts";
import {
  ask,
  bin,
  dial,
  dialTcp,
  EXAMPLE,
  freeUrl,
  portOf,
  postOnce,
  postsIn,
  receive,
  recordFile,
  serveHttp,
  serveRelay,
  serveSink,
  serveTcp,
  statusOf,
  wire,
} from "./support.ts";

const timeout = 60_000;

test("messages are cut or glued on the way", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  const glued = (key: string) =>
    wire('{"one":1}', { "idempotency-key": `${key}-1` }) + wire('{"two":2}', { "idempotency-key": `${key}-2` });
  const { length } = glued("000");
  for (let cut = 0; cut <= length; cut++) {
    const text = glued(String(cut).padStart(3, "0"));
    const socket = await dialTcp(t, url);
    socket.write(text.slice(0, cut));
    // Sent apart for certain: the first part has left before the second is written.
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(text.slice(cut));
    const answers = await receive(socket, 2);
    assert.equal(answers.match(/HTTP\/1\.1 200 OK/g)?.length, 2, `cut at byte ${cut}: ${answers}`);
    socket.destroy();
  }
  const bodies = (await sink.posts()).map(({ body }) => body).sort();
  const count = length + 1;
  assert.deepEqual(bodies, [...Array(count).fill('{"one":1}'), ...Array(count).fill('{"two":2}')]);
  t.diagnostic(`2 posts glued, and cut at each of ${length} bytes: all whole`);
});

test("a message is too large", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  const other = await dial(t, url);
  // The head alone is enough: nothing of the body is sent.
  const head = wire("", { "content-length": "1048577" });
  const answer = await ask(t, url, head);
  assert.equal(statusOf(answer), 413);
  assert.match(answer, /content-type: application\/problem\+json/);
  assert.match(answer, /the body is above 1048576 bytes/);

  const chunked = wire("", { "content-length": "0", "transfer-encoding": "chunked" }).replace(
    /content-length.*\r\n/,
    "",
  );
  const chunk = `10000\r\n${"1".repeat(65_536)}\r\n`;
  assert.equal(statusOf(await ask(t, url, chunked + chunk.repeat(17))), 413);

  await assert.rejects(other.post("x".repeat(1_048_576)), { code: "ERR_POST_REFUSED", status: 413 });
  assert.equal((await other.post(EXAMPLE)).status, 200);
  assert.equal((await sink.posts()).length, 1);
  t.diagnostic("413 above 1 MiB before it is read, or once it is");
});

test("a message is malformed", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url, events } = await serveRelay(t, sink.url);
  const other = await dial(t, url);
  const count = 200;
  for (let i = 0; i < count; i++) {
    const { status, headers, body } = await postOnce(url, `{"one":${i}`);
    assert.equal(status, 400);
    assert.equal(headers.get("content-type"), "application/problem+json");
    assert.equal(body.detail, "the body is no JSON in UTF-8, or has __proto__ in it");
  }
  assert.equal(events.filter(({ type }) => type === "refused").length, count, "told once each");
  assert.equal((await other.post(EXAMPLE)).status, 200);
  assert.equal((await sink.posts()).length, 1, "nothing of it came to the sink");
  t.diagnostic(`400 as problem+json, told once: ${count} of ${count}`);
});

test("the reader is slow", { timeout }, async (t) => {
  const held: ServerResponse[] = [];
  const slow = await serveHttp(t, (_body, response) => held.push(response));
  const args = [
    "--port",
    "0",
    "--max-queued-bytes",
    "8000000",
    "--timeout-ms",
    "60000",
    "--request-timeout-ms",
    "60000",
  ];
  const relay = startProgram(bin("relay"), [slow, ...args]);
  t.after(() => relay.stop("SIGKILL"));
  const url = await relay.ready;
  const body = JSON.stringify("x".repeat(999_998));
  const idleMib = residentMib(relay.pid);
  const count = 100;
  const answers = Array.from({ length: count }, () => postOnce(url, body));
  let refused = 0;
  for (const answer of answers) {
    void answer.then(({ status, headers }) => {
      if (status === 503 && headers.get("retry-after") === "1") refused++;
    });
  }
  await until(() => refused + held.length >= count);
  const grownMib = (residentMib(relay.pid) ?? 0) - (idleMib ?? 0);
  assert.equal(held.length, 8, "what fits is passed on");
  assert.ok(grownMib < 96, `grew by ${grownMib} MiB`);
  for (const response of held) response.end("{}");
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 200).length, 8);
  const grown = idleMib === undefined ? "" : `, grows by ${grownMib.toFixed(0)} MiB (bound: 96)`;
  t.diagnostic(`${count} MB pushed at a bound of 8: the rest 503 with Retry-After${grown}`);
});

test("the peer is killed", { timeout }, async (t) => {
  const file = await recordFile(t);
  const victim = startProgram(bin("sink"), ["--port", "0", "--record", file]);
  t.after(() => victim.stop("SIGKILL"));
  const sinkUrl = await victim.ready;
  const { url, told } = await serveRelay(t, sinkUrl, { timeoutMs: 500 });
  const other = await serveSink(t);
  const otherRelay = await serveRelay(t, other.url);
  assert.equal((await postOnce(url, "1")).status, 200);

  process.kill(victim.pid, "SIGSTOP");
  const lost = postOnce(url, "2", { "idempotency-key": "2" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const killedAt = performance.now();
  await victim.stop("SIGKILL");
  await told("waiting");
  const noticedMs = performance.now() - killedAt;
  assert.ok(noticedMs < 1_000, `noticed after ${noticedMs} ms`);
  const { status, body } = await lost;
  assert.deepEqual([status, body.done], [502, "unknown"]);
  const refused = await postOnce(url, "3");
  assert.deepEqual([refused.status, refused.body.done], [502, "no"]);
  assert.equal((await postOnce(otherRelay.url, "4")).status, 200);
  t.diagnostic(`noticed after ${noticedMs.toFixed(0)} ms: 502, and whether it may be done; others go on`);
});

test("the peer goes silent", { timeout }, async (t) => {
  const file = await recordFile(t);
  const stopped = startProgram(bin("sink"), ["--port", "0", "--record", file]);
  t.after(() => stopped.stop("SIGKILL"));
  const { url } = await serveRelay(t, await stopped.ready, { timeoutMs: 300 });
  assert.equal((await postOnce(url, "1", { "idempotency-key": "first" })).status, 200);
  process.kill(stopped.pid, "SIGSTOP");
  const askedAt = performance.now();
  const { status, body } = await postOnce(url, "2", { "idempotency-key": "second" });
  const waitedMs = performance.now() - askedAt;
  assert.equal(status, 504);
  assert.equal(body.done, "unknown");
  assert.match(String(body.detail), /repeat with the same Idempotency-Key/);
  assert.ok(waitedMs < 800, `gave up after ${waitedMs} ms`);
  process.kill(stopped.pid, "SIGCONT");
  assert.equal((await postOnce(url, "2", { "idempotency-key": "second" })).status, 200);
  assert.equal((await postsIn(file)).filter(({ key }) => key === "second").length, 1, "done once");

  const silent = await serveTcp(t, () => {});
  const client = await dial(t, silent, { timeoutMs: 300 });
  await assert.rejects(client.post(EXAMPLE), { code: "ERR_POST_UNKNOWN" });
  const dripping = await dialTcp(t, (await serveRelay(t, silent, { headersTimeoutMs: 100 })).url);
  dripping.write("POST / HT");
  assert.equal(statusOf(await receive(dripping)), 408);
  t.diagnostic(`504 "unknown" after ${waitedMs.toFixed(0)} ms at timeoutMs 300; the same key later: done once`);
});

test("the client starts first", { timeout }, async (t) => {
  const [relayUrl, sinkUrl] = [await freeUrl(), await freeUrl()];
  let waits = 0;
  const connecting = connect(relayUrl, {
    onEvent({ type }) {
      if (type === "waiting") waits++;
    },
  });
  await until(() => waits === 1);
  const relay = await serveRelay(t, sinkUrl, { port: portOf(relayUrl) });
  const client = await connecting;
  t.after(() => client.close());
  assert.equal(waits, 1, "says once that it waits");
  const answer = client.post(EXAMPLE);
  await relay.told("waiting");
  const startedAt = performance.now();
  await serveSink(t, { port: portOf(sinkUrl) });
  assert.equal((await answer).status, 200);
  const waitedMs = performance.now() - startedAt;
  assert.ok(waitedMs < 3_000, `answered ${waitedMs} ms after the sink was there`);
  t.diagnostic(`client, relay, sink in this order: answered ${waitedMs.toFixed(0)} ms after the last`);
});

test("the server restarts", { timeout }, async (t) => {
  const file = await recordFile(t);
  const first = await startSink(file);
  t.after(() => first.close());
  const firstRelay = await startRelay(first.url);
  t.after(() => firstRelay.close());
  const client = await dial(t, firstRelay.url);
  const posts: Promise<{ status: number }>[] = [];
  const post = (count: number) => {
    for (let i = 0; i < count; i++) posts.push(client.post({ number: posts.length }));
  };
  post(100);
  const sinkIsDown = first.close();
  post(100);
  await sinkIsDown;
  post(100);
  const second = await startSink(file, { port: portOf(first.url) });
  t.after(() => second.close());
  post(100);
  const relayIsDown = firstRelay.close();
  post(100);
  await relayIsDown;
  const secondRelay = await startRelay(first.url, { port: portOf(firstRelay.url) });
  t.after(() => secondRelay.close());
  const answers = await Promise.all(posts);
  assert.ok(answers.every(({ status }) => status === 200));
  const bodies = (await postsIn(file)).map(({ body }) => JSON.parse(body).number).sort((a, b) => a - b);
  assert.deepEqual(
    bodies,
    answers.map((_, number) => number),
  );
  t.diagnostic(`sink and relay: ${answers.length} of ${answers.length} answered, each recorded once`);
});

test("the port is taken", { timeout }, async (t) => {
  const { url, file } = await serveSink(t);
  for (const args of [["sink", "--record", file], ["relay"]]) {
    const [program = "", ...more] = args;
    const second = startProgram(bin(program), ["--port", String(portOf(url)), ...more]);
    t.after(() => second.stop("SIGKILL"));
    assert.deepEqual(await second.exited, { code: 1, signal: null });
    assert.deepEqual(second.output, []);
    assert.deepEqual(second.errors, [`Cannot listen on ${url}: the port is taken. Try --port 0`]);
  }
  t.diagnostic("one line, exit code 1");
});

test("it is told to stop", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const relay = startProgram(bin("relay"), [sink.url, "--port", "0"]);
  t.after(() => relay.stop("SIGKILL"));
  const client = await dial(t, await relay.ready, { connections: 20 });
  const answered = new Set<string>();
  const failures: PostFailure[] = [];
  const load = Array.from({ length: 20 }, async (_, number) => {
    for (let count = 0; failures.length === 0; count++) {
      const key = `${number}-${count}`;
      await client.post(EXAMPLE, { idempotencyKey: key }).then(
        () => answered.add(key),
        (error) => failures.push(error),
      );
    }
  });
  await until(() => answered.size > 200);
  const toldAt = performance.now();
  const { code } = await relay.stop("SIGTERM");
  const tookMs = performance.now() - toldAt;
  // What it would try again now, it tries no more.
  await client.close();
  await Promise.all(load);
  assert.equal(code, 0);
  assert.deepEqual(relay.errors, []);
  const unanswered = (await sink.posts()).filter(({ key = "" }) => !answered.has(key));
  assert.deepEqual(unanswered, [], "what the sink has is answered");
  assert.ok(failures.length > 0, "it was told to stop with posts in flight");
  assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
  t.diagnostic(`${answered.size} recorded, ${answered.size} answered; exit 0 after ${tookMs.toFixed(0)} ms`);
});

test("two clients at once", { timeout }, async (t) => {
  let release = () => {};
  const sink = await serveHttp(t, (body, response) => {
    const answer = () => void response.setHeader("content-type", "application/json").end(body);
    if (body === '"slow"') release = answer;
    else answer();
  });
  const { url } = await serveRelay(t, sink);
  const [slow, quick] = [await dial(t, url), await dial(t, url)];
  const waiting = slow.post("slow");
  await until(() => sinkHasSlow());
  function sinkHasSlow() {
    return release.name === "answer";
  }
  const askedAt = performance.now();
  for (let i = 0; i < 100; i++) assert.equal((await quick.post(i)).body, i);
  const quickMs = performance.now() - askedAt;
  release();
  assert.equal((await waiting).body, "slow");
  t.diagnostic(`${quickMs.toFixed(0)} ms for 100 posts beside one that is stuck`);
});
