import assert from "node:assert/strict";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib } from "@ipc/core/testing";
import type { WebSocket } from "ws";
import { ECHO } from "../src/index.ts";
import { bin, join, nextText, open, take } from "./support.ts";

const timeout = 180_000;
const isHeavy = process.env["IPC_HEAVY"] === "1";

test("idle connections cost little, and the others stay quick", { timeout }, async (t) => {
  const count = isHeavy ? 10_000 : 1_000;
  const server = startProgram(bin("server"), ["--port", "0", "--max-connections", "20000"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const { client } = await join(t, url, { protocol: ECHO });
  client.send("warm");
  await take(client, 1);
  const idleMib = residentMib(server.pid) ?? 0;
  for (let opened = 0; opened < count; opened += 100) {
    await Promise.all(Array.from({ length: 100 }, () => open(t, url, ECHO)));
  }
  const kib = (((residentMib(server.pid) ?? 0) - idleMib) * 1_024) / count;
  const trips: number[] = [];
  for (let trip = 0; trip < 200; trip++) {
    const askedAt = performance.now();
    client.send(trip);
    await take(client, 1);
    trips.push(performance.now() - askedAt);
  }
  trips.sort((a, b) => a - b);
  // 12 KiB each with 10,000; with fewer the heap's own growth weighs more.
  assert.ok(kib < (isHeavy ? 16 : 32), `${kib} KiB each`);
  assert.ok((trips[100] ?? Number.NaN) < 50, `${trips[100]} ms`);
  t.diagnostic(`${count}: ${kib.toFixed(1)} KiB each, round trip p99 ${trips[197]?.toFixed(1)} ms`);
});

test("clients that are killed leave nothing behind", { timeout }, async (t) => {
  const rounds = isHeavy ? 20 : 4;
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const killAll = async () => {
    const sockets: WebSocket[] = await Promise.all(Array.from({ length: 50 }, () => open(t, url, ECHO)));
    await Promise.all(
      sockets.map(async (socket) => {
        const reply = nextText(socket);
        socket.send("1");
        await reply;
        socket.terminate();
      }),
    );
  };
  await killAll();
  const idleMib = residentMib(server.pid) ?? 0;
  for (let round = 0; round < rounds; round++) await killAll();
  const grownMib = (residentMib(server.pid) ?? 0) - idleMib;
  assert.ok(grownMib < 16, `grew by ${grownMib} MiB`);
});

test("a server restarts: all its clients come back, and not at once", { timeout }, async (t) => {
  const count = isHeavy ? 1_000 : 200;
  const first = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => first.stop("SIGKILL"));
  const url = await first.ready;
  const options = { reconnectMs: 4_000, waitMs: 30_000, graceMs: 0 };
  const clients = await Promise.all(Array.from({ length: count }, () => join(t, url, options)));
  const backAt: number[] = [];
  const all = clients.map(async ({ told }) => {
    await told("connected", 2);
    backAt.push(performance.now());
  });
  await first.stop("SIGKILL");
  const second = startProgram(bin("server"), ["--port", new URL(url).port]);
  t.after(() => second.stop("SIGKILL"));
  await second.ready;
  const startedAt = performance.now();
  await Promise.all(all);
  const backMs = (backAt.at(-1) ?? Number.NaN) - startedAt;
  const peak = Math.max(...backAt.map((from) => backAt.filter((at) => at >= from && at < from + 1_000).length));
  assert.ok(backMs < 15_000, `back after ${backMs} ms`);
  // 250 and 50 on average.
  assert.ok(peak < (isHeavy ? 400 : 120), `${peak} in one second`);
  t.diagnostic(`${count} back after ${backMs.toFixed(0)} ms, ${peak} in one second at most`);
});
