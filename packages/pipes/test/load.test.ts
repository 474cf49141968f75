import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { connect as connectSocket } from "node:net";
import test, { type TestContext } from "node:test";
import { promisify } from "node:util";
import { startProgram } from "@ipc/core/child";
import { toSocketPath } from "@ipc/core/socket-path";
import { residentMib } from "@ipc/core/testing";
import { parsePath } from "@ipc/core/url";
import { connect } from "../src/index.ts";
import { bin, bytes, dial, frame, freeUrl, noise, text } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 900_000 : 60_000;

async function startServer(t: TestContext) {
  const server = startProgram(bin("server"), [await freeUrl(t)]);
  t.after(() => server.stop("SIGKILL"));
  return server;
}

test("1,000 clients at once with 20 requests each: none lost, none mixed up", { timeout }, async (t) => {
  const server = await startServer(t);
  const url = await server.ready;
  const clients = await inTurns(1_000, 100, () => connect(url, { timeoutMs: 30_000 }));
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
  assert.equal(answered, 20_000);
  t.diagnostic(`${answered} of 20000 answered`);
});

test("random bytes on many connections: closed, alive, memory bounded", { timeout }, async (t) => {
  const count = isHeavy ? 200_000 : 10_000;
  const server = await startServer(t);
  server.stdin.end();
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
  const server = await startServer(t);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const wave = () =>
    inTurns(1_000, 100, async () => {
      const socket = await dial(t, url);
      socket.write(frame("half of it").subarray(0, 8));
      await new Promise((resolve) => socket.once("close", resolve).destroy());
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
  const server = startProgram(bin("server"), [await freeUrl(t)], { under });
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
    const socket = connectSocket(toSocketPath(parsePath(url, "unix")));
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
