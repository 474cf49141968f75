import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { promisify } from "node:util";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import {
  ask,
  bin,
  dial,
  dialTcp,
  EXAMPLE,
  freeUrl,
  portOf,
  postOnce,
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

// What the original does wrong (FACTS section 4).

test("an outage of the sink is never answered with 200, and what was posted in it is not lost", {
  timeout,
}, async (t) => {
  const file = await recordFile(t);
  const first = await serveSink(t, { file });
  const { url } = await serveRelay(t, first.url, { timeoutMs: 200 });
  const client = await dial(t, url);
  await client.post("before");
  await first.sink.close();
  assert.equal((await postOnce(url, '"without a key"')).status, 502);
  const during = client.post("during");
  await serveSink(t, { file, port: portOf(first.url) });
  assert.equal((await during).status, 200);
  assert.equal((await client.post("after")).status, 200);
  assert.deepEqual(
    (await first.posts()).map(({ body }) => body),
    ['"before"', '"during"', '"after"'],
  );
});

test("a post is passed on at once, not at the next poll", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const client = await dial(t, (await serveRelay(t, sink.url)).url);
  await client.post(EXAMPLE);
  const begunAt = performance.now();
  for (let i = 0; i < 20; i++) await client.post(i);
  const tookMs = performance.now() - begunAt;
  assert.ok(tookMs < 2_000, `20 posts one after another took ${tookMs} ms`);
});

test("bad JSON and a GET are answered, and the connection goes on", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  const get = "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
  const answers = await ask(t, url, wire("{") + get + wire("1"), 3);
  assert.deepEqual(answers.match(/(?<=HTTP\/1\.1 )\d+/g), ["400", "405", "200"]);
});

// What comes in.

test("requests that smuggle, or are no HTTP, are refused and their connections closed", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  const head = "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n";
  const chunked = `${head}transfer-encoding: chunked\r\n`;
  const withoutHost = "POST / HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n1";
  const requests: [statuses: number[], request: string][] = [
    [[400], `${chunked}content-length: 1\r\n\r\n0\r\n\r\n`],
    [[400], `${head}content-length: 1\r\ncontent-length: 2\r\n\r\n11`],
    [[400], `${head}content-length: 1\r\ncontent-length: 1\r\n\r\n1`],
    [[400], `${head}content-length: +1\r\n\r\n1`],
    [[400], `${head}content-length: 0x1\r\n\r\n1`],
    [[400], `${chunked}\r\n0x1\r\n1\r\n0\r\n\r\n`],
    [[400], `${chunked}\r\n-1\r\n1\r\n0\r\n\r\n`],
    [[400, 413], `${chunked}\r\nffffffffffffffff0\r\n1\r\n0\r\n\r\n`],
    [[400], `${head}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    [[400], "POST / HTTP/1.1\nhost: 127.0.0.1\n\n"],
    [[400], `${head}x: a\0b\r\n\r\n`],
    [[400], `${head}x: a\r\n b\r\ncontent-length: 1\r\n\r\n1`],
    [[400], `${head}x : a\r\n\r\n`],
    [[400], withoutHost],
    [[400], "POST / HTTP/9.9\r\nhost: 127.0.0.1\r\n\r\n"],
    [[400], "\u0016\u0003\u0001\u0002\0\u0001\0\u0001"],
    [[431], `${head}x: ${"x".repeat(9_000)}\r\n\r\n`],
    [[417], `${head}expect: a-miracle\r\ncontent-length: 1\r\n\r\n1`],
  ];
  for (const [statuses, request] of requests) {
    const socket = await dialTcp(t, url);
    socket.write(request, "latin1");
    const shown = JSON.stringify(request.slice(0, 200));
    const isLast = statuses.includes(400) && request !== withoutHost;
    const answer = await receive(socket, isLast ? Number.POSITIVE_INFINITY : 1);
    assert.ok(statuses.includes(statusOf(answer)), `${shown}: ${answer}`);
    assert.match(answer, /content-type: application\/problem\+json\r\n/i, shown);
  }
  assert.equal((await postOnce(url, "1")).status, 200);
  assert.equal((await sink.posts()).length, 1);
});

test("a client that dawdles is cut off, in the head and in the body", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const limits = { headersTimeoutMs: 200, requestTimeoutMs: 400 };
  const { url } = await serveRelay(t, sink.url, limits);
  for (const begun of ["POST / HTTP/1.1\r\nhost: 127", wire("", { "content-length": "100" })]) {
    const socket = await dialTcp(t, url);
    const begunAt = performance.now();
    socket.write(begun);
    const drip = setInterval(() => socket.write(" "), 50);
    t.after(() => clearInterval(drip));
    const answer = await receive(socket, Number.POSITIVE_INFINITY);
    clearInterval(drip);
    assert.equal(statusOf(answer), 408, answer);
    const tookMs = performance.now() - begunAt;
    assert.ok(tookMs < 5_000, `closed after ${tookMs} ms`);
  }
});

test("a body without an end is refused and dropped, and cut off when a request's time is over", {
  timeout,
}, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url, { requestTimeoutMs: 400, headersTimeoutMs: 200, maxBodyBytes: 1_000 });
  const socket = await dialTcp(t, url);
  socket.write(wire("", { "content-length": "0", "transfer-encoding": "chunked" }).replace(/content-length.*\r\n/, ""));
  const chunk = `3e8\r\n${"1".repeat(1_000)}\r\n`;
  const more = setInterval(() => socket.write(chunk), 5);
  t.after(() => clearInterval(more));
  assert.equal(statusOf(await receive(socket)), 413);
  await new Promise((resolve) => socket.once("close", resolve));
});

test("a body that is asked for first is asked for once, or refused before it is sent", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url } = await serveRelay(t, sink.url);
  const socket = await dialTcp(t, url);
  const [head = ""] = wire("1", { expect: "100-continue" }).split("\r\n\r\n");
  socket.write(`${head}\r\n\r\n`);
  const [goOn] = await once(socket, "data");
  assert.equal(String(goOn), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.write("1");
  assert.equal(statusOf(await receive(socket)), 200);

  const refused = wire("", { expect: "100-continue", "content-length": "1048577" });
  const answer = await ask(t, url, refused, Number.POSITIVE_INFINITY);
  assert.equal(statusOf(answer), 413, "at once, without 100");
  assert.match(answer, /connection: close\r\n/i);
  assert.equal((await sink.posts()).length, 1);
});

test("trailers go no further", { timeout }, async (t) => {
  const seen: IncomingMessage[] = [];
  const sink = await serveHttp(t, (_body, response, request) => {
    seen.push(request);
    response.end("1");
  });
  const { url } = await serveRelay(t, sink);
  const head = wire("", { "transfer-encoding": "chunked", trailer: "x-late" }).replace(/content-length.*\r\n/, "");
  assert.equal(statusOf(await ask(t, url, `${head}1\r\n1\r\n0\r\nx-late: 1\r\n\r\n`)), 200);
  const [request] = seen;
  assert.deepEqual(
    [request?.headers.trailer, request?.headers["x-late"], request?.trailers],
    [undefined, undefined, {}],
  );
});

test("a body that ends too early is no post, and what there was of it is let go", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const { url, events } = await serveRelay(t, sink.url, { maxQueuedBytes: 100 });
  for (let client = 0; client < 5; client++) {
    const socket = await dialTcp(t, url);
    socket.end(wire("1".repeat(50), { "content-length": "60" }));
    assert.equal(statusOf(await receive(socket, Number.POSITIVE_INFINITY)), 400);
    const gone = await dialTcp(t, url);
    gone.write(wire("1".repeat(50), { "content-length": "60" }), () => gone.resetAndDestroy());
  }
  const fits = JSON.stringify("x".repeat(98));
  while ((await postOnce(url, fits)).status === 503) await new Promise(setImmediate);
  assert.deepEqual(
    (await sink.posts()).map(({ body }) => body),
    [fits],
  );
  const tellings = events.filter((event) => event.type === "refused" && event.status === 400).length;
  assert.ok(tellings >= 5 && tellings <= 10, `told ${tellings} times of 10 bodies`);
});

test("a sink that refuses before it has read all: its answer comes back, or that it is lost", {
  timeout,
}, async (t) => {
  const answer = "HTTP/1.1 413 x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n";
  const body = JSON.stringify("x".repeat(1_000_000));
  const polite = await serveTcp(t, (socket) => socket.once("data", () => socket.write(`${answer}\r\n{}`)).resume());
  assert.equal((await postOnce((await serveRelay(t, polite)).url, body)).status, 413);
  const rude = await serveTcp(t, (socket) => {
    socket.once("data", () => socket.pause().end(`${answer}connection: close\r\n\r\n{}`, () => socket.destroy()));
  });
  const { status, body: told } = await postOnce((await serveRelay(t, rude)).url, body);
  assert.ok(status === 413 || (status === 502 && told.done === "unknown"), `${status} ${JSON.stringify(told)}`);
});

test("nothing in a request changes where the relay posts to", { timeout }, async (t) => {
  let canaries = 0;
  const canary = await serveTcp(t, (socket) => {
    canaries++;
    socket.destroy();
  });
  const hosts: (string | undefined)[] = [];
  const sink = await serveHttp(t, (_body, response, { headers, url }) => {
    hosts.push(headers.host);
    assert.equal(url, "/");
    response.end("1");
  });
  const { url } = await serveRelay(t, sink);
  const { host } = new URL(canary);
  const body = JSON.stringify({ url: canary, target: canary, sink: canary });
  const line = (target: string) => wire(body).replace("POST /", `POST ${target}`);
  const header = (name: string, value = canary) => wire(body, { [name]: value });
  const forms = [
    line(canary),
    line(`${canary}/`),
    line(`//${host}/`),
    line(`/${canary}`),
    line(`/?url=${canary}`),
    line(`/#@${host}`),
    line(`@${host}/`),
    line("*"),
    `CONNECT ${host} HTTP/1.1\r\nhost: ${host}\r\n\r\n`,
    header("host", host),
    header("host", `127.0.0.1@${host}`),
    header("x-forwarded-host", host),
    header("x-forwarded-for", host),
    header("x-forwarded-server", host),
    header("forwarded", `host=${host};proto=http`),
    header("x-original-url", `${canary}/`),
    header("x-rewrite-url", `${canary}/`),
    header("x-host", host),
    header("referer"),
    header("location"),
    header("proxy-connection", host),
    header("via", `1.1 ${host}`),
    wire(body),
  ];
  for (const form of forms) await ask(t, url, form);
  assert.equal(canaries, 0);
  assert.ok(hosts.length >= 10, `${hosts.length} came to the sink`);
  for (const one of hosts) assert.equal(one, new URL(sink).host);
});

test("fields that could be taken for others are refused, hop-by-hop ones go no further", { timeout }, async (t) => {
  const seen: IncomingHttpHeaders[] = [];
  const sink = await serveHttp(t, (_body, response, { headers }) => {
    seen.push(headers);
    response.setHeader("x-kept", "yes").setHeader("x-hop", "yes").setHeader("connection", "keep-alive, x-hop");
    response.setHeader("proxy-authenticate", "Basic").end("1");
  });
  const { url } = await serveRelay(t, sink);
  for (const value of ["caf\u00e9", "a\u0000b", "a\rb", "a\nx-evil: 1", "a\u007fb"]) {
    assert.equal(statusOf(await ask(t, url, wire("1", { "x-note": value }))), 400, JSON.stringify(value));
  }
  assert.deepEqual(seen, []);

  const answer = await ask(
    t,
    url,
    wire("1", {
      connection: "X-Secret , keep-alive, idempotency-key",
      "idempotency-key": "kept",
      "x-secret": "mine",
      "x-kept": "yes",
      ...{ te: "trailers", trailer: "x", "keep-alive": "timeout=9", "proxy-authorization": "Basic x", upgrade: "h2c" },
      ...{ "x-forwarded-for": "203.0.113.1", via: "1.0 first" },
    }),
  );
  assert.equal(statusOf(answer), 200);
  const { host, connection, via, ...headers }: IncomingHttpHeaders = seen[0] ?? {};
  assert.equal(host, new URL(sink).host);
  assert.equal(connection, "keep-alive");
  assert.match(via ?? "", /^1\.0 first, 1\.1 post-relay-[\da-f-]{36}$/);
  assert.deepEqual(headers, {
    "content-type": "application/json",
    "content-length": "1",
    "idempotency-key": "kept",
    "x-kept": "yes",
  });
  assert.match(answer, /\r\nx-kept: yes\r\n/);
  assert.doesNotMatch(answer, /x-hop|proxy-authenticate/);
});

test("a relay that posts to itself, or in a ring, answers 508 after one round", { timeout }, async (t) => {
  const [one, other] = [await freeUrl(), await freeUrl()];
  for (const target of [one, other]) {
    const relay = await serveRelay(t, target, { port: portOf(one) });
    const next = target === other ? await serveRelay(t, one, { port: portOf(other) }) : undefined;
    const { status, body } = await postOnce(one, "1", { "idempotency-key": "1" });
    assert.deepEqual([status, body.detail], [508, "the post has come back to this relay"]);
    await Promise.all([relay.relay.close(), next?.relay.close()]);
  }
});

// What the sink does.

test("a sink that misbehaves is answered for within the time, and the next post works", { timeout }, async (t) => {
  const head = "HTTP/1.1 200 OK\r\n";
  const faults: [name: string, status: number, onPost: (socket: Socket) => void][] = [
    ["hangs", 504, () => {}],
    ["hangs in the head", 504, (socket) => socket.write("HTTP/1.1 200")],
    ["hangs in the body", 504, (socket) => socket.write(`${head}content-length: 9\r\n\r\n1`)],
    ["drips", 504, drip],
    ["closes", 502, (socket) => socket.end()],
    ["resets", 502, (socket) => socket.resetAndDestroy()],
    ["resets in the body", 502, (socket) => socket.write(`${head}content-length: 9\r\n\r\n1`, () => socket.destroy())],
    ["ends too early", 502, (socket) => socket.end(`${head}content-length: 9\r\n\r\n1`)],
    ["sends garbage", 502, (socket) => socket.write(Buffer.from([0x16, 3, 1, 0, 255, 13, 10, 13, 10]))],
    ["sends two lengths", 502, (socket) => socket.write(`${head}content-length: 1\r\ncontent-length: 2\r\n\r\n11`)],
    ["sends a long head", 502, (socket) => socket.write(`${head}x: ${"x".repeat(100_000)}\r\n\r\n`)],
    [
      "sends a long body",
      502,
      (socket) => socket.write(`${head}content-length: 2000000\r\n\r\n${"1".repeat(2_000_000)}`),
    ],
    [
      "redirects",
      502,
      (socket) => socket.write("HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
    ],
    [
      "switches protocols",
      502,
      (socket) => socket.write("HTTP/1.1 101 x\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    ],
    ["says to go on first", 200, (socket) => socket.write(`HTTP/1.1 103 x\r\n\r\n${head}content-length: 1\r\n\r\n1`)],
    [
      "sends more than it said",
      200,
      (socket) => socket.write(`${head}content-length: 1\r\n\r\n1HTTP/1.1 500 x\r\n\r\n`),
    ],
    ["sends nothing", 204, (socket) => socket.write("HTTP/1.1 204 x\r\n\r\n")],
    ["says no", 409, (socket) => socket.write("HTTP/1.1 409 x\r\ncontent-length: 2\r\n\r\n{}")],
    ["fails", 500, (socket) => socket.write("HTTP/1.1 500 x\r\ncontent-length: 2\r\n\r\n{}")],
    ["works", 200, (socket) => socket.write(`${head}content-length: 1\r\n\r\n1`)],
  ];
  let onPost: (socket: Socket) => void = () => {};
  const sink = await serveTcp(t, (socket) => socket.on("data", () => onPost(socket)));
  const { url } = await serveRelay(t, sink, { timeoutMs: 300 });
  for (const [name, expected, fault] of faults) {
    onPost = fault;
    const begunAt = performance.now();
    const { status, headers, body } = await postOnce(url, "1");
    const tookMs = performance.now() - begunAt;
    assert.equal(status, expected, name);
    if (expected === 502 || expected === 504) {
      assert.equal(headers.get("content-type"), "application/problem+json", name);
      assert.equal(body.done, "unknown", name);
    }
    assert.ok(tookMs < 1_000, `${name}: answered after ${tookMs} ms`);
  }
});

function drip(socket: Socket): void {
  socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
  const timer = setInterval(() => socket.write("1"), 20);
  socket.once("close", () => clearInterval(timer));
}

test("a sink that takes longer than a connection may be idle is waited for all the same", { timeout }, async (t) => {
  const sink = await serveHttp(t, (_body, response) => void setTimeout(() => response.end("1"), 800));
  const { url } = await serveRelay(t, sink, { idleTimeoutMs: 200, timeoutMs: 5_000 });
  assert.equal((await postOnce(url, "1")).status, 200);
});

test("a client that never reads its answers is not read from either", { timeout }, async (t) => {
  const sink = await serveSink(t);
  const relay = startProgram(bin("relay"), [sink.url, "--port", "0", "--idle-timeout-ms", "60000"]);
  t.after(() => relay.stop("SIGKILL"));
  const url = await relay.ready;
  // The heap grows to its working size first.
  for (let warm = 0; warm < 3; warm++) await fillUnread(t, url);
  const idleMib = residentMib(relay.pid) ?? 0;
  const clients = 5;
  for (let client = 0; client < clients; client++) await fillUnread(t, url);
  const grownMib = ((residentMib(relay.pid) ?? 0) - idleMib) / clients;
  assert.equal((await postOnce(url, "1")).status, 200);
  assert.ok(grownMib < 16, `grew by ${grownMib} MiB a client`);
});

/** Sends requests and reads nothing, until no more are taken. */
async function fillUnread(t: TestContext, url: string): Promise<void> {
  const socket = await dialTcp(t, url);
  socket.pause();
  const request = "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".repeat(1_000);
  for (let count = 0; count < 1_000; count++) socket.write(request);
  let taken = -1;
  await until(() => {
    const now = socket.bytesWritten - socket.writableLength;
    const isStalled = now === taken;
    taken = now;
    return isStalled;
  }, 300);
  assert.ok(taken < 1_000 * request.length, `${taken} bytes were taken`);
}

test("bodies in pieces of one byte cost what they are long, in both directions", { timeout }, async (t) => {
  // Each would cost a hundred bytes by itself.
  const pieces = 100_000;
  const piece = "1\r\n1\r\n";
  const answer = `HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n${piece.repeat(pieces)}0\r\n\r\n`;
  const sink = await serveTcp(t, (socket) => void socket.once("data", () => socket.end(answer)));
  const relay = startProgram(bin("relay"), [sink, "--port", "0"]);
  t.after(() => relay.stop("SIGKILL"));
  const url = await relay.ready;
  const head = wire("", { "transfer-encoding": "chunked" }).replace(/content-length.*\r\n/, "");
  assert.match(await ask(t, url, `${head}${piece.repeat(300)}0\r\n\r\n`), /^HTTP\/1\.1 200 /);
  const idleMib = residentMib(relay.pid) ?? 0;
  // Not whole: all of them are held.
  const sockets = await Promise.all(Array.from({ length: 10 }, () => dialTcp(t, url)));
  await Promise.all(
    sockets.map((socket) => new Promise<void>((resolve) => socket.write(head + piece.repeat(pieces), () => resolve()))),
  );
  assert.equal((await postOnce(url, "1")).status, 200);
  const grownMib = (residentMib(relay.pid) ?? 0) - idleMib;
  assert.ok(grownMib < 48, `grew by ${grownMib} MiB for ${10 * pieces} bytes`);
});

test("a sink that answers with a gigabyte is cut off, and memory stays bounded", { timeout }, async (t) => {
  let sentBytes = 0;
  const chunk = Buffer.alloc(65_536, "1");
  const sink = await serveHttp(t, (_body, response) => {
    response.writeHead(200, { "content-length": "1073741824" });
    const more = () => {
      while (!response.destroyed && response.write(chunk)) sentBytes += chunk.length;
    };
    response.on("drain", more);
    more();
  });
  const relay = startProgram(bin("relay"), [sink, "--port", "0"]);
  t.after(() => relay.stop("SIGKILL"));
  const url = await relay.ready;
  // What is held shows where memory is least: above that is what has not been collected yet.
  async function leastMibOf(answers: number): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < answers; i++) {
      assert.equal((await postOnce(url, "1")).status, 502);
      least = Math.min(least, residentMib(relay.pid) ?? 0);
    }
    return least;
  }
  await leastMibOf(20);
  sentBytes = 0;
  const before = await leastMibOf(20);
  await leastMibOf(60);
  const grownMib = (await leastMibOf(20)) - before;
  assert.ok(sentBytes < 100 * 16_000_000, `${sentBytes} bytes were taken for 100 answers`);
  // 80: each of those answers may be 1 MiB, and was held if nothing is let go.
  assert.ok(grownMib < 40, `grew by ${grownMib} MiB in 80 answers`);
  t.diagnostic(`grew by ${grownMib.toFixed(1)} MiB in 80 answers`);
});

test("a disk that is full: 503, nothing half written, and known keys are still known", { timeout }, async (t) => {
  const limit = ["bash", "-c", 'ulimit -f 4; exec "$0" "$@"'];
  const hasBash = await promisify(execFile)("bash", ["-c", "ulimit -f 4"]).catch(() => undefined);
  if (!hasBash) return t.skip("needs bash: it sets the limit of a file's size");
  const file = await recordFile(t);
  const sink = startProgram(bin("sink"), ["--port", "0", "--record", file], { under: limit });
  t.after(() => sink.stop("SIGKILL"));
  const url = await sink.ready;
  const statuses = await fill(url);
  const recorded = statuses.filter((status) => status === 200).length;
  assert.ok(recorded > 10 && recorded < statuses.length, `${recorded} of ${statuses.length}`);
  assert.deepEqual(new Set(statuses), new Set([200, 503]));
  const lines = (await readFile(file, "utf8")).split("\n");
  assert.equal(lines.pop(), "");
  assert.equal(lines.length, recorded);
  for (const line of lines) JSON.parse(line);
  assert.equal((await postOnce(url, '"body"', { "idempotency-key": "0" })).status, 200);
  assert.deepEqual(await sink.stop(), { code: 0, signal: null });
});

async function fill(url: string): Promise<number[]> {
  const statuses: number[] = [];
  for (let number = 0; number < 100; number++) {
    statuses.push((await postOnce(url, '"body"', { "idempotency-key": String(number) })).status);
  }
  return statuses;
}

test("a client that goes away while its post waits is not posted for again", { timeout }, async (t) => {
  const { relay, url, told, events } = await serveRelay(t, await freeUrl());
  await abandon(t, url, told("waiting"));
  await told("failed");
  await relay.close();
  assert.equal(events.filter(({ type }) => type === "failed").length, 1);
});

async function abandon(t: TestContext, url: string, waiting: Promise<unknown>): Promise<void> {
  const socket = await dialTcp(t, url);
  socket.write(wire("1", { "idempotency-key": "1" }));
  await waiting;
  socket.destroy();
}
