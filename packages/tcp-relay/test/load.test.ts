import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import { connect } from "../src/index.ts";
import { bin, dial, freeUrl, portOf, range, readIds, startLine, startRing, temporaryFolder } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 900_000 : 90_000;

test("20,000 messages while relay and final peer are killed 5 times each: none lost, none twice", {
  timeout,
}, async (t) => {
  const messages = 20_000;
  const kills = 10;
  const folder = await temporaryFolder(t);
  const logFile = join(folder, "delivered");
  const acknowledgedFile = join(folder, "acknowledged");
  const [relayUrl, finalUrl] = [await freeUrl(), await freeUrl()];

  const startFinal = () =>
    startProgram(bin("peer"), ["--name", "final", "--port", `${portOf(finalUrl)}`, "--log-file", logFile]);
  const startRelay = () =>
    startProgram(bin("peer"), ["--name", "relay", "--port", `${portOf(relayUrl)}`, "--next", finalUrl]);
  let [relay, final] = [startRelay(), startFinal()];
  const driver = startProgram(new URL("fixtures/driver.ts", import.meta.url), [
    relayUrl,
    `${messages}`,
    acknowledgedFile,
  ]);
  t.after(() => Promise.all([driver, relay, final].map((child) => child.stop("SIGKILL"))));

  for (let kill = 0; kill < kills; kill++) {
    // While messages are on their way: at each eleventh of them.
    const at = Math.ceil((((kill + 1) / (kills + 1)) * messages) / 100) * 100;
    await driver.waitForLine(new RegExp(`^acknowledged ${at}$`));
    if (kill % 2 === 0) {
      await relay.stop("SIGKILL");
      relay = startRelay();
    } else {
      await final.stop("SIGKILL");
      final = startFinal();
    }
  }
  assert.deepEqual(await driver.exited, { code: 0, signal: null });
  const acknowledged = (await readFile(acknowledgedFile, "utf8")).split("\n");
  const logged = await readIds(logFile);
  assert.equal(acknowledged.length, messages);
  const known = new Set(logged);
  assert.deepEqual(
    acknowledged.filter((id) => !known.has(id)),
    [],
    "acknowledged and not in the log",
  );
  assert.equal(known.size, logged.length, "an id is in the log twice");
  t.diagnostic(`${messages} acknowledged, ${logged.length} in the log, 0 missing, 0 twice`);
});

test("a ring of five, each flooding: every message comes home once", { timeout }, async (t) => {
  const rounds = isHeavy ? 12 : 1;
  const peers = await startRing(t, ["a", "b", "c", "d", "e"]);
  for (let round = 0; round < rounds; round++) {
    await Promise.all(peers.map(({ peer }) => Promise.all(range(4_000).map((body) => peer.send(body)))));
  }
  for (const { received } of peers) assert.equal(received.length, rounds * 4_000);
});

test("50 senders through one relay: none lost, none mixed up", { timeout }, async (t) => {
  const count = isHeavy ? 2_000 : 200;
  const { relay, final } = await startLine(t);
  const clients = await Promise.all(range(50).map((name) => connect(relay.url, { name: `sender-${name}` })));
  t.after(() => Promise.all(clients.map((client) => client.close())));
  await Promise.all(clients.map((client) => Promise.all(range(count).map((body) => client.send(body)))));
  for (const name of range(50)) {
    const bodies = final.received.filter(({ origin }) => origin === `sender-${name}`).map(({ body }) => body);
    assert.deepEqual(bodies, range(count));
  }
});

test("random bytes on many connections: closed, alive, memory bounded", { timeout }, async (t) => {
  const count = isHeavy ? 200_000 : 4_000;
  const peer = startProgram(bin("peer"), ["--port", "0"]);
  t.after(() => peer.stop("SIGKILL"));
  const url = await peer.ready;
  await inTurns(1_000, 50, () => garbage(url));
  const before = residentMib(peer.pid);
  await inTurns(count, 50, () => garbage(url));
  const grown = (residentMib(peer.pid) ?? 0) - (before ?? 0);
  const client = await connect(url);
  t.after(() => client.close());
  await client.send("still here");
  assert.deepEqual(peer.errors, []);
  assert.ok(grown <= 64, `grew by ${grown} MiB`);
  t.diagnostic(`${count} connections with random bytes: alive, memory grew by ${grown.toFixed(0)} MiB`);
});

test("1,000 connections that are reset leave nothing behind", { timeout }, async (t) => {
  const peer = startProgram(bin("peer"), ["--port", "0"]);
  t.after(() => peer.stop("SIGKILL"));
  const url = await peer.ready;
  await inTurns(1_000, 100, async () => {
    const { socket } = await dial(t, url);
    socket.write(Uint8Array.of(0, 0, 0, 9, 1, 2, 3));
    socket.resetAndDestroy();
  });
  // Ends by itself: were a handle left open, it would end with 1 and say which.
  assert.deepEqual(await peer.stop(), { code: 0, signal: null });
});

/** One connection that sends random bytes; resolves when it is closed. */
function garbage(url: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectSocket(parseAddress(url, "tcp"));
    socket.on("error", () => {});
    socket.once("close", () => resolve());
    socket.end(randomBytes(1 + Math.floor(Math.random() * 200)));
    socket.resume();
  });
}

/** Runs `count` of `begin`, at most `atOnce` at a time. */
async function inTurns(count: number, atOnce: number, begin: () => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next++ < count) await begin();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
