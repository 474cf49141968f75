import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { connect as connectSocket } from "node:net";
import test from "node:test";
import { promisify } from "node:util";
import { type Child, startProgram } from "@ipc/core/child";
import { residentMib } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import { connect } from "../src/index.ts";
import { bin, dial, open, receive } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 900_000 : 60_000;

async function startServer(args: string[] = [], under?: string[]): Promise<Child & { urls: [string, string] }> {
  const server = startProgram(bin("server"), ["--port", "0", ...args], { under });
  const http = await server.ready;
  const tcp = (await server.waitForLine(/tcp:/)).split(" ").at(-1) ?? "";
  return Object.assign(server, { urls: [http, tcp] as [string, string] });
}

test("many clients at once: no call lost, none mixed up", { timeout }, async (t) => {
  const count = isHeavy ? 2_000 : 200;
  const server = await startServer();
  t.after(() => server.stop("SIGKILL"));
  let answered = 0;
  for (const url of server.urls) {
    const clients = await inTurns(count, 100, () => connect(url, { timeoutMs: 30_000 }));
    await Promise.all(
      clients.map(async (client, number) => {
        for (let call = 0; call < 10; call++) {
          const value = `client ${number} call ${call}`;
          assert.equal(await client.call("echo", [value], { timeoutMs: 30_000 }), value);
          answered++;
        }
        await client.close();
      }),
    );
  }
  assert.equal(answered, count * 20);
  t.diagnostic(`${answered} of ${count * 20} answered`);
});

test("random bytes on many connections of both kinds: closed, alive, memory bounded", { timeout }, async (t) => {
  const count = isHeavy ? 1_000_000 : 10_000;
  const server = await startServer();
  server.stdin.end();
  t.after(() => server.stop("SIGKILL"));
  const wave = (size: number) => inTurns(size, 50, (number) => garbage(server.urls[number % 2] ?? ""));
  await wave(1_000);
  const before = residentMib(server.pid);
  await wave(count);
  const after = residentMib(server.pid);
  for (const url of server.urls) assert.equal(await (await open(t, url)).call("add", [1, 2]), 3);
  assert.deepEqual(server.errors, []);
  const grown = after === undefined || before === undefined ? 0 : after - before;
  assert.ok(grown <= 64, `grew by ${grown} MiB`);
  t.diagnostic(`${count} connections: alive, memory grew by ${grown.toFixed(0)} MiB`);
});

test("messages made of everything that JSON can be: each is answered by the rules, or not at all", {
  timeout,
}, async (t) => {
  const count = isHeavy ? 1_000_000 : 20_000;
  const server = await startServer();
  t.after(() => server.stop("SIGKILL"));
  const socket = await dial(t, server.urls[1]);
  const received = receive(socket);
  const random = randomOf(7);
  let expected = 0;
  for (let number = 0; number < count; number++) {
    const message = anyMessage(random);
    // A batch of notifications and a notification have no answer; all else has one.
    const isNotification = (one: unknown) => isRequest(one) && one["id"] === undefined;
    const isSilent = Array.isArray(message)
      ? message.length > 0 && message.every(isNotification)
      : isNotification(message);
    if (!isSilent) expected++;
    if (!socket.write(`${JSON.stringify(message)}\n`)) await new Promise((resolve) => socket.once("drain", resolve));
  }
  socket.end();
  const lines = String(await received)
    .split("\n")
    .slice(0, -1);
  const codes = new Set<unknown>();
  for (const line of lines) {
    for (const reply of [JSON.parse(line)].flat()) {
      assert.equal(reply.jsonrpc, "2.0");
      assert.equal("result" in reply, !("error" in reply), line);
      if (reply.error) codes.add(reply.error.code);
    }
  }
  assert.equal(lines.length, expected);
  assert.deepEqual([...codes].sort(), [-32600, -32601, -32602]);
  assert.equal(await (await open(t, server.urls[0])).call("add", [1, 2]), 3);
  t.diagnostic(`${lines.length} of ${expected} answered by the rules`);
});

test("clients that drip a byte now and then are closed at the deadline, others are served meanwhile", {
  timeout,
}, async (t) => {
  const count = isHeavy ? 500 : 200;
  const limits = ["--frame-timeout-ms", "1000", "--headers-timeout-ms", "1000", "--request-timeout-ms", "1000"];
  const server = await startServer(limits);
  t.after(() => server.stop("SIGKILL"));
  const other = await open(t, server.urls[1]);
  const drips: Promise<number>[] = [];
  await inTurns(count, 50, async (number) => {
    const socket = await dial(t, server.urls[number % 2] ?? "");
    const begunAt = performance.now();
    const text = number % 2 === 0 ? "POST / HTTP/1.1\r\nHost: localhost\r\nX-A: b" : '{"jsonrpc":"2.0","method":"echo"';
    let sent = 0;
    const drip = setInterval(() => socket.write(text.charAt(sent++) || "x"), 100);
    socket.once("close", () => clearInterval(drip));
    drips.push(receive(socket).then(() => performance.now() - begunAt));
  });
  let longestMs = 0;
  for (let call = 0; call < 500; call++) {
    const askedAt = performance.now();
    await other.call("echo", [call]);
    longestMs = Math.max(longestMs, performance.now() - askedAt);
  }
  const closedMs = Math.max(...(await Promise.all(drips)));
  // Node looks for those that are late once a second.
  assert.ok(closedMs < 1_000 + 1_000 + 2_000, `all closed after ${closedMs} ms`);
  assert.ok(longestMs < 500, `others waited ${longestMs} ms`);
  t.diagnostic(`${count} closed within ${closedMs.toFixed(0)} ms at a deadline of 1000`);
});

test("clients killed in the middle leave nothing behind", { timeout }, async (t) => {
  const count = isHeavy ? 1_000 : 200;
  // A reset that comes with the call itself looks like an end (libuv): such a call runs on, until the grace ends it.
  const server = await startServer(["--grace-ms", "300"]);
  t.after(() => server.stop("SIGKILL"));
  const wave = () =>
    inTurns(count, 100, async (number) => {
      const socket = await dial(t, server.urls[number % 2] ?? "");
      const half =
        number % 2 === 0 ? "POST / HTTP/1.1\r\n" : '{"jsonrpc":"2.0","method":"slow","params":[60000],"id":1}\n{';
      await new Promise((resolve) => socket.write(half, resolve));
      socket.resetAndDestroy();
    });
  // The heap grows to its working size first: what leaks grows on.
  for (let warm = 0; warm < 3; warm++) await wave();
  const before = residentMib(server.pid);
  await wave();
  assert.equal(await (await open(t, server.urls[1])).call("add", [1, 2]), 3);
  const grown = (residentMib(server.pid) ?? 0) - (before ?? 0);
  assert.ok(grown <= 16, `grew by ${grown} MiB`);
  // Ends by itself: were a handle left open, it would end with 1 and say which.
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  t.diagnostic(`${count} killed: memory grew by ${grown.toFixed(1)} MiB, no handle left`);
});

test("out of file descriptors: the server survives and serves again", { timeout }, async (t) => {
  const hasBash = await promisify(execFile)("bash", ["-c", "ulimit -n 64"]).catch(() => undefined);
  if (!hasBash) return t.skip("needs bash: it sets the limit of open files");
  const server = await startServer([], ["bash", "-c", 'ulimit -n 64; exec "$0" "$@"']);
  t.after(() => server.stop("SIGKILL"));
  const sockets = await inTurns(300, 50, (number) => dial(t, server.urls[number % 2] ?? ""));
  for (const socket of sockets) socket.destroy();
  // The system hands the server what came while it had no descriptor, to be closed; then it serves again.
  for (const url of server.urls) {
    const client = await open(t, url);
    const releasedAt = performance.now();
    let sum: unknown;
    while (sum === undefined && performance.now() - releasedAt < 5_000) {
      sum = await client.call("add", [1, 2]).catch((error) => assert.equal(error.code, "ECONNRESET"));
    }
    assert.equal(sum, 3);
  }
  t.diagnostic("300 connections with 64 descriptors: survives, serves again");
});

/** One connection that sends random bytes; resolves when it is closed. */
function garbage(url: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectSocket(parseAddress(url, new URL(url).protocol.slice(0, -1)));
    socket.on("error", () => {});
    socket.once("close", () => resolve());
    socket.end(randomBytes(1 + Math.floor(Math.random() * 200)));
    socket.resume();
  });
}

function isRequest(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { jsonrpc, method, params, id } = value as Record<string, unknown>;
  const isIdRight = id === undefined || id === null || typeof id === "string" || typeof id === "number";
  const areParamsRight = params === undefined || (typeof params === "object" && params !== null);
  return jsonrpc === "2.0" && typeof method === "string" && isIdRight && areParamsRight;
}

/** Something near a request, or a batch of such. */
function anyMessage(random: () => number): unknown {
  const pick = <T>(...values: T[]): T => values[Math.floor(random() * values.length)] as T;
  const anyValue = () => pick<unknown>(null, true, 0, -1.5, 1e308, "", "x", "\u0000", [], [1, "2"], {}, { a: 1, b: 2 });
  const anyRequest = (): unknown => {
    if (random() < 0.1) return anyValue();
    const request: Record<string, unknown> = {};
    if (random() < 0.9) request["jsonrpc"] = pick<unknown>("2.0", "2.0", "2.0", "2.0", "1.0", 2);
    if (random() < 0.9)
      request["method"] = pick<unknown>("add", "sum", "echo", "__proto__", "constructor", "", 1, null);
    if (random() < 0.8) request["params"] = anyValue();
    if (random() < 0.7) request["id"] = anyValue();
    if (random() < 0.1) Object.defineProperty(request, "__proto__", { value: anyValue(), enumerable: true });
    return request;
  };
  if (random() < 0.8) return anyRequest();
  return Array.from({ length: Math.floor(random() * 5) }, () => (random() < 0.1 ? [anyRequest()] : anyRequest()));
}

/** A sequence that is the same each time: mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
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
