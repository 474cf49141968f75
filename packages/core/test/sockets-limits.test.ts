import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { encodeFrame, lengthFraming, lineFraming } from "../src/framing.ts";
import { readFrames } from "../src/read-frames.ts";
import { createFrameWriter } from "../src/write-frames.ts";
import { connectedPair, pattern, until } from "./support.ts";

const timeout = 20_000;

/** How many milliseconds it takes until `promise` is settled, and what it rejects with. */
async function timed(promise: Promise<unknown>): Promise<{ elapsedMs: number; error: unknown }> {
  const start = performance.now();
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { elapsedMs: performance.now() - start, error };
}

// They wait most of the time: together they take no longer than the longest.
describe("the time limits of readFrames()", { concurrency: true }, () => {
  test("frameTimeoutMs cuts off a peer that drips: ETIMEDOUT although something always comes", {
    timeout,
  }, async (t) => {
    const { near, far } = await connectedPair(t);
    const drip = setInterval(() => far.write("x"), 10);
    t.after(() => clearInterval(drip));
    const frames = readFrames(near, lineFraming.createDecoder(), { frameTimeoutMs: 200 });
    const { elapsedMs, error } = await timed(frames.next());
    assert.ok(error instanceof Error && "code" in error && "frameTimeoutMs" in error);
    assert.deepEqual([error.code, error.frameTimeoutMs], ["ETIMEDOUT", 200]);
    assert.match(error.message, /^Cannot read frame: it was not whole after 200 ms$/);
    assert.ok(elapsedMs >= 195 && elapsedMs < 2_000, `after ${elapsedMs} ms`);
  });

  test("frameTimeoutMs is per frame: whole frames in time keep a connection for longer than it", {
    timeout,
  }, async (t) => {
    const { near, far } = await connectedPair(t);
    far.write("begin");
    let sent = 0;
    const talk = setInterval(() => (++sent < 30 ? far.write(" end\nbegin") : far.end(" end\n")), 50);
    t.after(() => clearInterval(talk));
    let frames = 0;
    for await (const batch of readFrames(near, lineFraming.createDecoder(), { frameTimeoutMs: 750 })) {
      frames += batch.length;
    }
    assert.equal(frames, 30);
  });

  test("frameTimeoutMs does not count between two frames", { timeout }, async (t) => {
    const { near, far } = await connectedPair(t);
    const frames = readFrames(near, lineFraming.createDecoder(), { frameTimeoutMs: 50 });
    await Promise.all([pause(200), until(() => near.readableFlowing === true)]);
    far.write("one\n");
    assert.equal((await frames.next()).value?.length, 1);
    await pause(200);
    far.end("two\n");
    assert.equal((await frames.next()).value?.length, 1);
    assert.equal((await frames.next()).done, true);
  });

  test("frameTimeoutMs does not blame the peer for a body that is busy while the socket is paused", {
    timeout,
  }, async (t) => {
    const { near, far } = await connectedPair(t);
    const frameTimeoutMs = 150;
    far.write("one\n");
    const got: string[] = [];
    for await (const frames of readFrames(near, lineFraming.createDecoder(), { frameTimeoutMs })) {
      got.push(...frames.map((frame) => new TextDecoder().decode(frame)));
      if (got.length > 1) continue;
      // "two" pauses the socket; "three" has begun and its end stays unread for longer than the limit.
      far.write("two\nthr");
      await until(() => near.isPaused());
      far.end("ee\n");
      await pause(3 * frameTimeoutMs);
    }
    assert.deepEqual(got, ["one", "two", "three"]);
  });

  test("frameTimeoutMs counts again once the body is done: a peer that stays inside a frame is cut off", {
    timeout,
  }, async (t) => {
    const { near, far } = await connectedPair(t);
    far.write("one\n");
    const frames = readFrames(near, lineFraming.createDecoder(), { frameTimeoutMs: 150 });
    await frames.next();
    far.write("two\nthr");
    await until(() => near.isPaused());
    await pause(300);
    assert.equal((await frames.next()).value?.length, 1);
    const { elapsedMs, error } = await timed(frames.next());
    assert.ok(error instanceof Error && "code" in error);
    assert.equal(error.code, "ETIMEDOUT");
    assert.ok(elapsedMs >= 145 && elapsedMs < 2_000, `after ${elapsedMs} ms`);
  });

  test("idleTimeoutMs cuts off a silent peer", { timeout }, async (t) => {
    const { near } = await connectedPair(t);
    const { elapsedMs, error } = await timed(
      readFrames(near, lineFraming.createDecoder(), { idleTimeoutMs: 200 }).next(),
    );
    assert.ok(error instanceof Error && "code" in error && "idleTimeoutMs" in error);
    assert.deepEqual([error.code, error.idleTimeoutMs], ["ETIMEDOUT", 200]);
    assert.match(error.message, /^Cannot keep connection: nothing moved for 200 ms$/);
    assert.ok(elapsedMs >= 195 && elapsedMs < 2_000, `after ${elapsedMs} ms`);
    await until(() => near.closed);
  });

  test("idleTimeoutMs keeps a peer that says something now and then", { timeout }, async (t) => {
    const { near, far } = await connectedPair(t);
    let sent = 0;
    const talk = setInterval(() => (++sent < 30 ? far.write("one\n") : far.end("one\n")), 50);
    t.after(() => clearInterval(talk));
    let frames = 0;
    for await (const batch of readFrames(near, lineFraming.createDecoder(), { idleTimeoutMs: 750 })) {
      frames += batch.length;
    }
    assert.equal(frames, 30);
  });

  test("idleTimeoutMs cuts off a peer that never reads its replies", { timeout }, async (t) => {
    const { near, far } = await connectedPair(t);
    far.write("one\n");
    const writer = createFrameWriter(near, lengthFraming);
    let stalls: Promise<void> | undefined;
    async function serve() {
      for await (const _ of readFrames(near, lineFraming.createDecoder(), { idleTimeoutMs: 300 })) {
        // Far more than the system's buffers hold: at some point drained() waits for the peer.
        for (let i = 0; i < 1_024; i++) {
          if (writer.write(pattern(65_536))) continue;
          stalls = writer.drained();
          await stalls;
        }
      }
    }
    await assert.rejects(serve(), { code: "ETIMEDOUT", idleTimeoutMs: 300 });
    assert.ok(stalls);
    assert.ok(near.destroyed);
    // 64 MiB were offered: what did not fit was not queued here.
    assert.ok(near.bytesWritten < 60 * 1_048_576, `${near.bytesWritten} bytes written`);
  });

  test("idleTimeoutMs keeps a peer whose request is being worked on", { timeout }, async (t) => {
    const { near, far } = await connectedPair(t);
    const frames = readFrames(near, lineFraming.createDecoder(), { idleTimeoutMs: 150 });
    far.write("one\n");
    await frames.next();
    // The handler works for longer than the limit; the peer waits for its reply and rightly says nothing.
    await pause(500);
    assert.equal(near.destroyed, false);
    near.write("reply\n");
    far.end("two\n");
    assert.equal((await frames.next()).value?.length, 1);
    assert.equal((await frames.next()).done, true);
  });

  test("idleTimeoutMs cuts off a peer that is silent after a handler that worked for longer than it", {
    timeout: 3_000,
  }, async (t) => {
    const { near, far } = await connectedPair(t);
    const frames = readFrames(near, lineFraming.createDecoder(), { idleTimeoutMs: 150 });
    far.write("one\n");
    await frames.next();
    await pause(500);
    // It had nothing to reply (or its reply is sent long since): from here on the peer is silent.
    await assert.rejects(frames.next(), { code: "ETIMEDOUT" });
  });

  test("idleTimeoutMs and frameTimeoutMs of 0 are no limits", { timeout }, async (t) => {
    const { near, far } = await connectedPair(t);
    const frames = readFrames(near, lengthFraming.createDecoder(), { frameTimeoutMs: 0, idleTimeoutMs: 0 });
    const wire = encodeFrame(lengthFraming, pattern(10));
    far.write(wire.subarray(0, 5));
    await pause(200);
    far.end(wire.subarray(5));
    assert.equal((await frames.next()).value?.[0]?.length, 10);
    assert.equal(near.timeout ?? 0, 0);
  });
});
