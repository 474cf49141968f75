import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { encodeFrame, lengthFraming, lineFraming } from "../src/framing.ts";
import { type ReadOptions, readFrames } from "../src/read-frames.ts";
import { connectedPair, gate, pattern, settled, until, utf8 } from "./support.ts";

const timeout = 20_000;

const text = (frame: Uint8Array) => new TextDecoder().decode(frame);

/** Every frame as text, and what the loop ended with. */
async function readAll(socket: Duplex, options: ReadOptions = {}, body = async () => {}) {
  const got: string[] = [];
  try {
    for await (const frames of readFrames(socket, lineFraming.createDecoder(), options)) {
      got.push(...frames.map(text));
      await body();
    }
  } catch (error) {
    return { got, error };
  }
  return { got, error: undefined };
}

const EVENTS = ["data", "end", "error", "close", "timeout", "drain", "readable"];
const listeners = (socket: Duplex) => EVENTS.map((event) => `${event}: ${socket.listenerCount(event)}`).join();

test("readFrames() ends when the peer ends between two frames", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const before = listeners(near);
  far.end("one\n\ntwo\n");
  assert.deepEqual(await readAll(near), { got: ["one", "", "two"], error: undefined });
  assert.equal(listeners(near), before);
});

test("readFrames() loses nothing and keeps the order for a slow reader", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const sent = Array.from({ length: 20_000 }, (_, i) => `${i} ${"x".repeat(i % 300)}`);
  far.end(`${sent.join("\n")}\n`);
  const { got, error } = await readAll(near, {}, () => nextTurn());
  assert.equal(error, undefined);
  assert.deepEqual(got, sent);
});

test("readFrames() stops reading while the loop's body is busy, so that the peer's writes wait", {
  timeout,
}, async (t) => {
  const { near, far } = await connectedPair(t);
  const frame = encodeFrame(lengthFraming, pattern(65_532));
  const count = 1_024;
  for (let i = 0; i < count; i++) far.write(frame);
  far.end();

  const { opened, open } = gate();
  let frames = 0;
  const reading = (async () => {
    for await (const batch of readFrames(near, lengthFraming.createDecoder())) {
      frames += batch.length;
      await opened;
    }
  })();
  await until(() => frames > 0);
  const readBytes = await settled(() => near.bytesRead);
  t.diagnostic(`${readBytes} bytes read, ${far.writableLength} wait at the peer`);
  assert.ok(readBytes <= 1_048_576, `read ${readBytes} bytes while the body was busy`);
  assert.ok(far.writableLength > 0, "the peer's writes wait");
  assert.ok(near.isPaused());

  open();
  await reading;
  assert.equal(frames, count);
  assert.equal(near.bytesRead, count * frame.length);
});

test("readFrames() delivers the frames before a fault, then throws it", { timeout }, async (t) => {
  for (const isSlow of [false, true]) {
    const { near, far } = await connectedPair(t);
    const before = listeners(near);
    far.write("one\ntwo\n");
    await once(near, "readable");
    far.write(`three\n${"x".repeat(1_048_577)}\nnever\n`);
    const { got, error } = await readAll(near, {}, isSlow ? () => nextTurn() : undefined);
    assert.deepEqual(got, ["one", "two", "three"]);
    assert.ok(error instanceof RangeError && "code" in error);
    assert.equal(error.code, "ERR_FRAME_TOO_LARGE");
    assert.equal(listeners(near), before);
    assert.equal(near.destroyed, false, "whoever owns the socket ends it");
  }
});

test("readFrames() throws ERR_FRAME_TRUNCATED when the peer ends inside a frame", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  far.end("one\ntw");
  const { got, error } = await readAll(near);
  assert.deepEqual(got, ["one"]);
  assert.ok(error instanceof Error && "code" in error && "frameBytes" in error);
  assert.deepEqual([error.code, error.frameBytes], ["ERR_FRAME_TRUNCATED", 2]);
});

test("readFrames() throws once: a loop that goes on finds the end", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const frames = readFrames(near, lineFraming.createDecoder());
  far.end("tw");
  await assert.rejects(frames.next(), { code: "ERR_FRAME_TRUNCATED" });
  assert.deepEqual(await frames.next(), { value: undefined, done: true });
});

test("readFrames() throws ERR_STREAM_PREMATURE_CLOSE when our own side destroys the socket", {
  timeout,
}, async (t) => {
  const { near, far } = await connectedPair(t);
  far.write("one\n");
  const frames = readFrames(near, lineFraming.createDecoder());
  await frames.next();
  const waiting = frames.next();
  near.destroy();
  await assert.rejects(waiting, { code: "ERR_STREAM_PREMATURE_CLOSE" });
});

test("readFrames() throws the error that our own side destroys the socket with", { timeout }, async (t) => {
  const { near } = await connectedPair(t);
  const waiting = readFrames(near, lineFraming.createDecoder()).next();
  const reason = new Error("enough");
  near.destroy(reason);
  await assert.rejects(waiting, reason);
});

test("readFrames() throws ECONNRESET when the peer resets the connection", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  far.write("one\n");
  const frames = readFrames(near, lineFraming.createDecoder());
  await frames.next();
  const waiting = frames.next();
  far.resetAndDestroy();
  await assert.rejects(waiting, { code: "ECONNRESET" });
});

test("readFrames() does not wait for a socket that is closed or destroyed already", {
  timeout,
}, async (t) => {
  const { near } = await connectedPair(t);
  near.destroy();
  await assert.rejects(readFrames(near, lineFraming.createDecoder()).next(), {
    code: "ERR_STREAM_PREMATURE_CLOSE",
  });
  await until(() => near.closed);
  await assert.rejects(readFrames(near, lineFraming.createDecoder()).next(), {
    code: "ERR_STREAM_PREMATURE_CLOSE",
  });
});

test("readFrames() ends when its signal aborts while it waits", { timeout }, async (t) => {
  const { near } = await connectedPair(t);
  const before = listeners(near);
  const stop = new AbortController();
  const reading = readAll(near, { signal: stop.signal });
  stop.abort();
  assert.deepEqual(await reading, { got: [], error: undefined });
  assert.equal(listeners(near), before);
  assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  assert.equal(near.destroyed, false);
});

test("readFrames() reads nothing when its signal is aborted already", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  far.write("one\n");
  await once(near, "readable");
  assert.deepEqual(await readAll(near, { signal: AbortSignal.abort() }), { got: [], error: undefined });
});

test("readFrames() still delivers what it has decoded when its signal aborts, and reads no more", {
  timeout,
}, async (t) => {
  const { near, far } = await connectedPair(t);
  const stop = new AbortController();
  far.write("one\n");
  let bodies = 0;
  const reading = readAll(near, { signal: stop.signal }, async () => {
    if (++bodies > 1) return;
    // A second batch is decoded while the body is busy with the first; a third is not read.
    const isPaused = once(near, "pause");
    far.write("two\nthree\n");
    await isPaused;
    stop.abort();
    far.write("four\n");
  });
  assert.deepEqual(await reading, { got: ["one", "two", "three"], error: undefined });
  assert.equal(near.destroyed, false);
});

test("leaving the loop leaves the socket open, paused and without listeners", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const before = listeners(near);
  const stop = new AbortController();
  const decoder = lineFraming.createDecoder();
  far.write("one\n");
  const options = { signal: stop.signal, frameTimeoutMs: 5_000, idleTimeoutMs: 5_000 };
  for await (const frames of readFrames(near, decoder, options)) {
    assert.deepEqual(frames.map(text), ["one"]);
    break;
  }
  assert.equal(listeners(near), before);
  assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  assert.ok(near.isPaused());

  // Both ways still work, and a second loop goes on where the first ended.
  near.write(utf8("hello"));
  assert.equal(String((await once(far, "data"))[0]), "hello");
  far.end("two\n");
  assert.deepEqual(await readAll(near), { got: ["two"], error: undefined });
});

test("1,000 connections that share one signal leave no listener behind", { timeout }, async (t) => {
  const stop = new AbortController();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  for (let i = 0; i < 20; i++) {
    const pairs = await Promise.all(Array.from({ length: 50 }, () => connectedPair(t)));
    const before = pairs.map(({ near }) => listeners(near));
    const readings = pairs.map(({ near }) => readAll(near, { signal: stop.signal }));
    // Node 20 would warn of more than 10.
    assert.equal(getEventListeners(stop.signal, "abort").length, 1);
    for (const { far } of pairs) far.end("one\n");
    for (const { got } of await Promise.all(readings)) assert.deepEqual(got, ["one"]);
    assert.deepEqual(
      pairs.map(({ near }) => listeners(near)),
      before,
    );
    for (const { near, far } of pairs) for (const socket of [near, far]) socket.destroy();
  }
  assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  assert.deepEqual(warnings, []);
});
