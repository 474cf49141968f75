import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { connect as connectSocket } from "node:net";
import test from "node:test";
import { promisify } from "node:util";
import { startProgram } from "@ipc/core/child";
import { residentMib } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import { type Client, connect } from "../src/index.ts";
import { bin, bytes, dial, frame, noise, receive, text } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 900_000 : 60_000;

const startServer = (args: string[] = []) => startProgram(bin("server"), ["--port", "0", ...args]);

test("5,000 clients at once with 20 requests each: none lost, none mixed up", { timeout }, async (t) => {
  const server = startServer();
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const clients = await inTurns(5_000, 500, () => connect(url, { timeoutMs: 30_000 }));
  t.after(() => Promise.all(clients.map((client) => client.close())));
  let answered = 0;
  await Promise.all(
    clients.map(async (client, number) => {
      for (let request = 0; request < 20; request++) {
        const message = `client ${number} request ${request}`;
        assert.equal(text(await client.request(bytes(message))), message);
        answered++;
      }
    }),
  );
  assert.equal(answered, 100_000);
  const mib = residentMib(server.pid);
  t.diagnostic(`${answered} of 100000 answered${mib ? `, the server holds ${mib.toFixed(0)} MiB` : ""}`);
});

test("idle connections cost at most 12 KiB each, and others are served beside them", {
  timeout,
}, async (t) => {
  const count = isHeavy ? 9_000 : 5_000;
  const server = startServer(["--idle-timeout-ms", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const first = await connect(url);
  t.after(() => first.close());
  await measureMedianMs(first, 2_000);
  // The heap grows to its working size first; what is counted are connections, not that.
  await inTurns(1_000, 500, () => dial(t, url));
  const before = residentMib(server.pid);
  await inTurns(count, 500, () => dial(t, url));
  const p99Ms = await measureP99Ms(first, 2_000);
  const after = residentMib(server.pid);
  assert.ok(p99Ms <= 20, `p99 is ${p99Ms} ms`);
  if (before === undefined || after === undefined) return t.diagnostic("no /proc: memory not measured");
  const kibEach = ((after - before) * 1024) / count;
  assert.ok(kibEach <= 12, `${kibEach} KiB a connection`);
  t.diagnostic(`${count} idle: ${kibEach.toFixed(1)} KiB each, p99 of others ${p99Ms.toFixed(1)} ms`);
});

test("clients that drip a byte now and then are closed at the deadline, others are served meanwhile", {
  timeout,
}, async (t) => {
  const count = 500;
  const server = startServer(["--frame-timeout-ms", "1000"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const other = await connect(url);
  t.after(() => other.close());
  const drips: Promise<number>[] = [];
  await inTurns(count, 250, async () => {
    const socket = await dial(t, url);
    const begunAt = performance.now();
    const message = frame("never whole");
    let sent = 0;
    const drip = setInterval(() => socket.write(message.subarray(sent % 8, (sent++ % 8) + 1)), 200);
    socket.once("close", () => clearInterval(drip));
    drips.push(receive(socket).then(() => performance.now() - begunAt));
  });
  const p99Ms = await measureP99Ms(other, 1_000);
  const closedMs = Math.max(...(await Promise.all(drips)));
  assert.ok(closedMs < 1_000 + 1_000, `all closed after ${closedMs} ms`);
  assert.ok(p99Ms <= 20, `p99 is ${p99Ms} ms`);
  t.diagnostic(
    `${count} closed within ${closedMs.toFixed(0)} ms each at a deadline of 1000; p99 of others ${p99Ms.toFixed(1)} ms`,
  );
});

test("random bytes on many connections: closed, alive, memory bounded", { timeout }, async (t) => {
  const count = isHeavy ? 1_000_000 : 20_000;
  const server = startServer();
  server.stdin.end();
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const other = await connect(url);
  t.after(() => other.close());
  await inTurns(1_000, 50, () => garbage(url));
  const before = residentMib(server.pid);
  await inTurns(count, 50, () => garbage(url));
  const after = residentMib(server.pid);
  assert.equal(text(await other.request(bytes("still here"))), "still here");
  assert.deepEqual(server.errors, []);
  const grown = after === undefined || before === undefined ? 0 : after - before;
  assert.ok(grown <= 64, `grew by ${grown} MiB`);
  t.diagnostic(`${count} connections with random bytes: alive, memory grew by ${grown.toFixed(0)} MiB`);
});

test("1,000 clients killed in the middle of a message leave nothing behind", { timeout }, async (t) => {
  const server = startServer();
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const wave = () =>
    inTurns(1_000, 100, async () => {
      const socket = await dial(t, url);
      socket.write(frame("half of it").subarray(0, 8));
      socket.resetAndDestroy();
    });
  // The heap grows to its working size first: what leaks grows on.
  for (let warm = 0; warm < 3; warm++) await wave();
  const before = residentMib(server.pid);
  await wave();
  const other = await connect(url);
  assert.equal(text(await other.request(bytes("still here"))), "still here");
  await other.close();
  const grown = (residentMib(server.pid) ?? 0) - (before ?? 0);
  assert.ok(grown <= 16, `grew by ${grown} MiB`);
  // Ends by itself: were a handle left open, it would end with 1 and say which.
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  t.diagnostic(`1000 killed: memory grew by ${grown.toFixed(1)} MiB, no handle left`);
});

test("out of file descriptors: the server survives and serves again", { timeout }, async (t) => {
  const hasBash = await promisify(execFile)("bash", ["-c", "ulimit -n 64"]).catch(() => undefined);
  if (!hasBash) return t.skip("needs bash: it sets the limit of open files");
  const under = ["bash", "-c", 'ulimit -n 64; exec "$0" "$@"'];
  const server = startProgram(bin("server"), ["--port", "0"], { under });
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const sockets = await inTurns(300, 50, () => dial(t, url));
  for (const socket of sockets) socket.destroy();
  // The system hands the server what came while it had no descriptor, to be closed; then it serves again.
  const releasedAt = performance.now();
  const client = await connect(url);
  t.after(() => client.close());
  let answer: Uint8Array | undefined;
  while (!answer && performance.now() - releasedAt < 5_000) {
    answer = await client.request(bytes("still here")).catch((error: NodeJS.ErrnoException) => {
      assert.equal(error.code, "ECONNRESET");
      return undefined;
    });
  }
  const backMs = performance.now() - releasedAt;
  assert.equal(answer && text(answer), "still here");
  assert.ok(backMs < 1_000, `served again after ${backMs} ms`);
  t.diagnostic(
    `300 connections with 64 descriptors: survives, serves again ${backMs.toFixed(0)} ms after they are free`,
  );
});

/** One connection that sends random bytes; resolves when it is closed. */
function garbage(url: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectSocket(parseAddress(url, "tcp"));
    socket.on("error", () => {});
    socket.once("close", () => resolve());
    socket.end(noise(1 + Math.floor(Math.random() * 200)));
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

async function measureP99Ms(client: Client, requests: number): Promise<number> {
  return (await measure(client, requests))[Math.floor(requests * 0.99)] ?? 0;
}

async function measureMedianMs(client: Client, requests: number): Promise<number> {
  return (await measure(client, requests))[Math.floor(requests / 2)] ?? 0;
}

async function measure(client: Client, requests: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < requests; i++) {
    const askedAt = performance.now();
    await client.request(bytes("ping"));
    times.push(performance.now() - askedAt);
  }
  return times.sort((a, b) => a - b);
}
