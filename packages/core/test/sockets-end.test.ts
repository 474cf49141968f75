import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { lineFraming } from "../src/framing.ts";
import { endSocket } from "../src/sockets.ts";
import { createFrameWriter } from "../src/write-frames.ts";
import { connectedPair, pattern, received, until, utf8 } from "./support.ts";

const timeout = 20_000;
const MIB = 1_048_576;

test("endSocket() resolves when both sides have ended", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  near.write("last words");
  const ending = endSocket(near, 60_000);
  assert.equal(await received(far), "last words");
  far.end();
  await ending;
  assert.ok(near.closed);
  assert.equal(near.errored, null);
});

test("endSocket() sends what a writer has queued in the same turn", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const writer = createFrameWriter(near, lineFraming);
  writer.write(utf8("last"));
  writer.write(utf8("words"));
  const ending = endSocket(near);
  assert.equal(await received(far), "last\nwords\n");
  far.end();
  await ending;
});

test("endSocket() gives a peer that still sends all our bytes and no reset", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  // The peer sends more than any buffer holds; of it we have read nothing when we end.
  const request = pattern(MIB);
  for (let i = 0; i < 32; i++) far.write(request);
  await once(near, "readable");

  const reply = pattern(3 * MIB);
  near.write(reply);
  const ending = endSocket(near, 5_000);
  let receivedBytes = 0;
  far.on("data", (chunk: Uint8Array) => {
    receivedBytes += chunk.length;
  });
  await once(far, "end");
  assert.equal(receivedBytes, reply.length);
  far.end();
  await Promise.all([ending, once(far, "close")]);
  assert.equal(far.errored, null, "no reset");
  assert.equal(near.errored, null);
  assert.equal(near.bytesRead, 32 * MIB, "what the peer still sent was taken and discarded");
});

test("endSocket() cuts off a peer that never ends after lingerMs", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const start = performance.now();
  await endSocket(near, 200);
  const elapsedMs = performance.now() - start;
  assert.ok(elapsedMs >= 195 && elapsedMs < 2_000, `after ${elapsedMs} ms`);
  assert.ok(near.destroyed);
  assert.equal(far.destroyed, false);
});

test("endSocket() cuts off a peer that takes nothing after lingerMs", { timeout }, async (t) => {
  const { near } = await connectedPair(t);
  for (let i = 0; i < 64; i++) near.write(pattern(MIB));
  const start = performance.now();
  await endSocket(near, 200);
  assert.ok(performance.now() - start < 5_000);
  assert.ok(near.destroyed);
});

test("endSocket() waits for as long as the peer takes something of one long message", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const lingerMs = 300;
  const message = pattern(12 * MIB);
  near.write(message);
  const start = performance.now();
  const ending = endSocket(near, lingerMs);
  // Up to 12 MiB a second: the whole takes several times lingerMs, but never stands still for so long.
  let receivedBytes = 0;
  const take = setInterval(() => {
    const chunk: Uint8Array | null = far.read();
    receivedBytes += chunk?.length ?? 0;
  }, 5);
  t.after(() => clearInterval(take));
  far.once("end", () => far.end());
  await ending;
  await until(() => far.closed || far.readableEnded);
  t.diagnostic(`took ${(performance.now() - start).toFixed(0)} ms`);
  assert.equal(receivedBytes, message.length);
});

test("endSocket() returns at once for a socket that is closed", { timeout }, async (t) => {
  const { near } = await connectedPair(t);
  near.destroy();
  await until(() => near.closed);
  const start = performance.now();
  await endSocket(near, 10_000);
  assert.ok(performance.now() - start < 1_000);
});

test("endSocket() resolves when the peer resets the connection meanwhile", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const ending = endSocket(near, 60_000);
  await once(near, "finish");
  far.resetAndDestroy();
  await ending;
  assert.ok(near.closed);
});

test("endSocket() may be called twice", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const endings = [endSocket(near), endSocket(near)];
  assert.equal(await received(far), "");
  far.end();
  await Promise.all(endings);
});
