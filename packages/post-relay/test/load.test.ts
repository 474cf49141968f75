import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { connect as connectSocket } from "node:net";
import test, { type TestContext } from "node:test";
import { promisify } from "node:util";
import { type Child, startProgram } from "@ipc/core/child";
import { findBinary } from "@ipc/core/services";
import { residentMib, until } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import {
  bin,
  dial,
  dialTcp,
  EXAMPLE,
  portOf,
  postOnce,
  postsIn,
  receive,
  recordFile,
  serveRelay,
  serveSink,
  statusOf,
  wire,
} from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 900_000 : 120_000;

const posts = isHeavy ? 10_000 : 2_000;
const kills = isHeavy ? 5 : 2;

test(`${posts} posts while the sink is killed and restarted ${kills} times: each is in the sink exactly once`, {
  timeout,
}, async (t) => {
  const seconds = await postThroughKills(t, []);
  t.diagnostic(`${posts} of ${posts} answered and recorded once, in ${seconds.toFixed(1)} s`);
});

test("with pipelining likewise: what undici sends again by itself is known to the sink", { timeout }, async (t) => {
  await postThroughKills(t, ["--pipelining", "32"]);
  t.diagnostic(`${posts} of ${posts} answered and recorded once`);
});

async function postThroughKills(t: TestContext, relayArgs: string[]): Promise<number> {
  const file = await recordFile(t);
  const startSink = (port: number) => startProgram(bin("sink"), ["--port", String(port), "--record", file]);
  let sink = startSink(0);
  t.after(() => sink.stop("SIGKILL"));
  const sinkUrl = await sink.ready;
  const relay = startProgram(bin("relay"), [sinkUrl, "--port", "0", ...relayArgs]);
  t.after(() => relay.stop("SIGKILL"));
  const client = await dial(t, await relay.ready, { timeoutMs: 60_000, waitMs: 60_000 });
  const begunAt = performance.now();
  let answered = 0;
  let next = 0;
  async function postSome() {
    while (next < posts) {
      const number = next++;
      const { status } = await client.post({ number }, { idempotencyKey: `post-${number}` });
      assert.equal(status, 200);
      answered++;
    }
  }
  const load = Promise.all(Array.from({ length: 50 }, postSome));
  for (let kill = 1; kill <= kills; kill++) {
    await Promise.race([load, until(() => answered > (kill * posts) / (kills + 1), 5)]);
    assert.ok(answered < posts, "it is killed with posts on their way");
    await sink.stop("SIGKILL");
    sink = startSink(portOf(sinkUrl));
    await sink.ready;
  }
  await load;
  const numbers = (await postsIn(file)).map(({ body }) => JSON.parse(body).number).sort((a, b) => a - b);
  assert.deepEqual(
    numbers,
    Array.from({ length: posts }, (_, number) => number),
  );
  return (performance.now() - begunAt) / 1_000;
}

test("posts while the relay is stopped or killed, and restarted: a retrying client sees no failure, each is done once", {
  timeout,
}, async (t) => {
  const count = isHeavy ? 1_000 : 300;
  const stops = isHeavy ? 5 : 2;
  const sink = await serveSink(t);
  const startRelay = (port: number) => startProgram(bin("relay"), [sink.url, "--port", String(port)]);
  let relay = startRelay(0);
  t.after(() => relay.stop("SIGKILL"));
  const url = await relay.ready;
  const client = await dial(t, url, { timeoutMs: 60_000, connections: 20 });
  let answered = 0;
  let next = 0;
  async function postSome() {
    for (; next < count; answered++) await client.post({ number: next++ });
  }
  const load = Promise.all(Array.from({ length: 20 }, postSome));
  for (let stop = 1; stop <= stops; stop++) {
    await until(() => answered > (stop * count) / (stops + 1), 5);
    // By turns: told to stop, and killed.
    const { code } = await relay.stop(stop % 2 === 0 ? "SIGKILL" : "SIGTERM");
    assert.equal(code, stop % 2 === 0 ? null : 0);
    relay = startRelay(portOf(url));
    await relay.ready;
  }
  await load;
  assert.equal(answered, count);
  assert.equal(new Set((await sink.posts()).map(({ body }) => body)).size, count);
  assert.equal((await sink.posts()).length, count);
});

test("500 clients that dawdle in head and body are cut off, others are served meanwhile", { timeout }, async (t) => {
  const count = 500;
  const limits = isHeavy ? [] : ["--headers-timeout-ms", "1000", "--request-timeout-ms", "2000"];
  const { relay, url } = await startPair(t, { limits });
  const closings: Promise<string>[] = [];
  await inTurns(count, 100, async (number) => {
    const socket = await dialTcp(t, url);
    socket.write(number % 2 === 0 ? "POST / HTTP/1.1\r\nhost: 127" : wire("", { "content-length": "4096" }));
    const drip = setInterval(() => socket.write("1"), 1_000);
    t.after(() => clearInterval(drip));
    closings.push(receive(socket, Number.POSITIVE_INFINITY).finally(() => clearInterval(drip)));
  });
  const begunAt = performance.now();
  let isOver = false;
  const answers = Promise.all(closings).finally(() => {
    isOver = true;
  });
  let served = 0;
  while (!isOver) {
    assert.equal((await postOnce(url, "1")).status, 200);
    served++;
  }
  const tookMs = performance.now() - begunAt;
  for (const answer of await answers) assert.equal(statusOf(answer), 408);
  assert.ok(tookMs < 10_000, `the last was closed after ${tookMs} ms`);
  assert.ok(served > 10, `${served} others were served`);
  await endsClean(relay);
  t.diagnostic(`${count} closed within ${(tookMs / 1_000).toFixed(1)} s, ${served} others served meanwhile`);
});

if (isHeavy) test("slowhttptest finds the relay available every second", { timeout }, checkBySlowhttptest);

async function checkBySlowhttptest(t: TestContext): Promise<void> {
  const command = await findBinary("slowhttptest");
  if (!command) return t.skip("needs slowhttptest");
  const { url } = await startPair(t);
  for (const mode of ["-H", "-B", "-X"]) {
    const args = [mode, "-c", "500", "-r", "200", "-i", "1", "-l", "20", "-p", "1", "-u", `${url}/`, "-t", "POST"];
    const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 1 << 26 });
    const seen = [...stdout.matchAll(/service available:[^A-Z]*(YES|NO)/g)].map(([, answer]) => answer);
    // It looks every second and tells every fifth; it ends early when all its connections have been closed.
    assert.ok(seen.length >= 2, stdout);
    assert.ok(!seen.includes("NO"), `${mode}: ${seen.join(" ")}`);
  }
}

test("random bytes on many connections: closed, alive, memory bounded", { timeout }, async (t) => {
  const count = isHeavy ? 100_000 : 1_000;
  const { relay, url } = await startPair(t);
  await inTurns(500, 50, () => garbage(url));
  const before = residentMib(relay.pid) ?? 0;
  await inTurns(count, 50, () => garbage(url));
  const grown = (residentMib(relay.pid) ?? 0) - before;
  assert.equal((await postOnce(url, "1")).status, 200);
  assert.deepEqual(relay.errors, []);
  assert.ok(grown <= 64, `grew by ${grown} MiB`);
  await endsClean(relay);
});

test("bodies made at random are refused or recorded as they are, and touch nothing", { timeout }, async (t) => {
  const count = isHeavy ? 100_000 : 500;
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url, { timeoutMs: 60_000 });
  const prototype = Object.getOwnPropertyNames(Object.prototype).sort();
  const sent: string[] = [];
  await inTurns(count, 20, async () => {
    const body = randomBody();
    const { status } = await postOnce(url, body);
    if (status === 200) sent.push(body);
    else assert.equal(status, 400, body);
  });
  assert.deepEqual((await sink.posts()).map(({ body }) => body).sort(), sent.sort());
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype).sort(), prototype);
  assert.equal(Object.getOwnPropertyDescriptor({}, "polluted"), undefined);
  assert.ok(sent.length > count / 20 && sent.length < count, `${sent.length} of ${count} were fit`);
});

const PIECES = [
  ...['{"__proto__":', '{"constructor":{"prototype":', '{"polluted":', "[", "]", "}", "1e308", "null", '"\\ud800"'],
  ...['"é"', ",", ":", "{", '"', "-0", "[1]", "{}", "true", " ", "\n", "\\u0000"],
];

function randomBody(): string {
  let body = "";
  const pieces = randomInt(1, 6);
  for (let i = 0; i < pieces; i++) body += PIECES[randomInt(PIECES.length)];
  return body;
}

test("clients killed in the middle of a post leave nothing behind", { timeout }, async (t) => {
  const { relay, url } = await startPair(t);
  const wave = () =>
    inTurns(isHeavy ? 1_000 : 400, 100, async () => {
      const socket = await dialTcp(t, url);
      socket.write(wire(JSON.stringify("x".repeat(50_000))).slice(0, 40_000));
      socket.resetAndDestroy();
    });
  // The heap grows to its working size first. What leaks grows on with every wave: by 40 kB a client.
  const mostMib = isHeavy ? 16 : 6;
  let grown = Number.POSITIVE_INFINITY;
  for (let waves = 0; waves < 6 && grown > mostMib; waves++) {
    const before = residentMib(relay.pid) ?? 0;
    await wave();
    grown = (residentMib(relay.pid) ?? 0) - before;
  }
  assert.ok(grown <= mostMib, `grew by ${grown} MiB`);
  assert.equal((await postOnce(url, "1")).status, 200);
  await endsClean(relay);
});

test("out of file descriptors: the relay survives and serves again", { timeout }, async (t) => {
  const hasBash = await promisify(execFile)("bash", ["-c", "ulimit -n 64"]).catch(() => undefined);
  if (!hasBash) return t.skip("needs bash: it sets the limit of open files");
  const { url } = await startPair(t, { under: ["bash", "-c", 'ulimit -n 64; exec "$0" "$@"'] });
  const sockets = await inTurns(300, 50, () => dialTcp(t, url));
  for (const socket of sockets) socket.destroy();
  const client = await dial(t, url);
  assert.equal((await client.post(EXAMPLE)).status, 200);
});

/** A sink here and a relay as a process. */
async function startPair(t: TestContext, { limits = [] as string[], under = [] as string[] } = {}) {
  const sink = await serveSink(t);
  const relay = startProgram(bin("relay"), [sink.url, "--port", "0", ...limits], { under });
  t.after(() => relay.stop("SIGKILL"));
  return { sink, relay, url: await relay.ready };
}

/** It ends by itself: were a handle left open, it would end with 1 and say which. */
async function endsClean(program: Child): Promise<void> {
  assert.deepEqual(await program.stop(), { code: 0, signal: null });
}

/** One connection that sends random bytes; resolves when it is closed. */
function garbage(url: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectSocket(parseAddress(url, "http"));
    socket.on("error", () => {}).once("close", () => resolve());
    socket.end(randomBytes(1 + randomInt(200)));
    socket.resume();
  });
}

/** Runs `count` of `begin`, at most `atOnce` at a time. */
async function inTurns<T>(count: number, atOnce: number, begin: (number: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const number = next++;
      results[number] = await begin(number);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
