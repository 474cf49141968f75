import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test, { type TestContext } from "node:test";
import { promisify } from "node:util";
import { startProgram } from "@ipc/core/child";
import { residentMib } from "@ipc/core/testing";
import { openSender } from "../src/index.ts";
import { sendTimes } from "../src/send-times.ts";
import { bin, receive } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 300_000 : 60_000;
const run = promisify(execFile);
const fixture = (name: string) => new URL(`fixtures/${name}.ts`, import.meta.url);

test("with a receive buffer of 4 MiB nothing of 10,000 is lost at 64 in flight", { timeout }, async (t) => {
  const { receiver } = await receive(t);
  if (receiver.receiveBufferBytes < 4_194_304) {
    return t.skip("this system gives less than a receive buffer of 4 MiB: sysctl net.core.rmem_max=4194304");
  }
  const roomy = await countReceived(t, 4_194_304);
  const usual = await countReceived(t, 0);
  assert.deepEqual(roomy, { received: 10_000, lost: 0 });
  assert.equal(usual.received + usual.lost, 10_000);
  t.diagnostic(`lost of 10000: ${roomy.lost} with 4 MiB, ${usual.lost} with the system's default`);
});

/** What a receiver in a process of its own gets of 10,000 datagrams, 64 sends at once. */
async function countReceived(t: TestContext, receiveBufferBytes: number) {
  const args = ["--port", "0", "--receive-buffer-bytes", `${receiveBufferBytes}`, "--every-ms", "100000"];
  const receiver = startProgram(bin("receiver"), args);
  t.after(() => receiver.stop("SIGKILL"));
  const sender = await openSender(await receiver.ready);
  t.after(() => sender.close());
  await sendTimes(sender, new Uint8Array(64), { count: 9_999, everyMs: 0 });
  while ((await sender.ping().catch(() => undefined)) === undefined);
  // Behind all others, and answered for: what was lost before it is known to be lost.
  await sender.send(new Uint8Array(64));
  await sender.ping();
  await receiver.stop();
  const [, received, lost] = /^\S+ +(\d+) +(\d+) /.exec(receiver.output.at(-1) ?? "") ?? [];
  return { received: Number(received), lost: Number(lost) };
}

test("a flood: memory stays bounded, and every datagram is accounted for", { timeout }, async (t) => {
  const receiver = startProgram(fixture("stalled-receiver"));
  t.after(() => receiver.stop("SIGKILL"));
  const url = await receiver.ready;
  let sent = 0;
  const flood = async (forMs: number) => {
    const begunAt = performance.now();
    const flooder = startProgram(fixture("flooder"), [url, "--for-ms", `${forMs}`]);
    t.after(() => flooder.stop("SIGKILL"));
    const line = await flooder.waitForLine(/^sent \d+$/);
    await flooder.exited;
    sent += Number(line.slice("sent ".length));
    return performance.now() - begunAt;
  };
  // The heap grows to its working size first, and the queue is full by then.
  await flood(500);
  const before = residentMib(receiver.pid);
  await flood(isHeavy ? 20_000 : 1_000);
  const grownMib = (residentMib(receiver.pid) ?? 0) - (before ?? 0);
  await receiver.stop();
  const counts = JSON.parse(receiver.output.at(-1) ?? "");
  assert.equal(counts.received + counts.lost, sent);
  assert.equal(counts.received - counts.dropped - 1, Math.ceil(8_388_608 / (64 + 1_024)), "what waits");
  assert.equal(counts.doubled, 0);
  assert.ok(grownMib <= 32, `grew by ${grownMib} MiB`);
  t.diagnostic(`${sent} messages, ${counts.lost} lost, ${counts.dropped} dropped; grew by ${grownMib.toFixed(1)} MiB`);
});

test("20 % lost each way by the system's own filter: all answered, each done once", { timeout }, async (t) => {
  if (process.getuid?.() !== 0) return t.skip("not allowed: only root may make a network namespace");
  const namespace = `ipc-udp-${process.pid}`;
  const inside = ["ip", "netns", "exec", namespace];
  const rule = "numgen random mod 100 < 20 drop";
  const rules = `add table ip t; add chain ip t in { type filter hook input priority 0; };
    add rule ip t in udp dport 5005 ${rule}; add rule ip t in udp sport 5005 ${rule};`;
  try {
    await run("ip", ["netns", "add", namespace]);
    t.after(() => run("ip", ["netns", "del", namespace]));
    await run("ip", [...inside.slice(1), "ip", "link", "set", "lo", "up"]);
    await run("ip", [...inside.slice(1), "nft", rules]);
  } catch {
    return t.skip("not allowed: a network namespace of its own with a filter (ip netns, nft)");
  }
  const count = isHeavy ? 2_000 : 500;
  const pair = startProgram(fixture("lossy-pair"), ["--port", "5005", "--count", `${count}`], { under: inside });
  t.after(() => pair.stop("SIGKILL"));
  assert.deepEqual(await pair.exited, { code: 0, signal: null }, pair.errors.join());
  const { answered, executed, doubled, p99Ms } = JSON.parse(pair.output[0] ?? "");
  assert.deepEqual({ answered, executed }, { answered: count, executed: count });
  assert.ok(doubled > 0, "there were copies to suppress");
  assert.ok(p99Ms <= 500, `p99 is ${p99Ms} ms`);
  t.diagnostic(`${answered} of ${count} answered, executed ${executed}, p99 ${p99Ms.toFixed(0)} ms`);
});
