import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { lengthFraming } from "../src/framing.ts";
import { readFrames } from "../src/read-frames.ts";
import { createFrameWriter } from "../src/write-frames.ts";
import { connectedPair, endOfTurn, IS_HEAVY, pattern, recorder, until, utf8 } from "./support.ts";

const timeout = 20_000;

test("write() says no from the high-water mark on, what is queued and what waits together", { timeout }, async () => {
  const { socket, take } = recorder({ isOpen: false });
  const writer = createFrameWriter(socket, lengthFraming, { highWaterBytes: 100_000 });
  const message = pattern(20_000);
  const answers = Array.from({ length: 5 }, () => writer.write(message));
  assert.deepEqual(answers, [true, true, true, true, false]);
  await endOfTurn();
  assert.equal(writer.write(utf8("little")), false, "what waits in the socket counts");
  await endOfTurn();
  take();
  await until(() => socket.writableLength < 100);
  assert.equal(writer.write(utf8("little")), true);
});

test("drained() sends what is queued at once and resolves when the socket takes more", { timeout }, async () => {
  const { socket, writes, take } = recorder({ isOpen: false });
  const writer = createFrameWriter(socket, lengthFraming);
  writer.write(pattern(100_000));
  let isDrained = false;
  const drained = writer.drained().then(() => {
    isDrained = true;
  });
  assert.equal(writes.length, 1);
  await endOfTurn();
  assert.equal(isDrained, false);
  take();
  await drained;
  assert.equal(socket.listenerCount("drain") + socket.listenerCount("close"), 0);
});

test("drained() resolves at once when nothing waits", { timeout }, async () => {
  const { socket } = recorder({ isOpen: false });
  await createFrameWriter(socket, lengthFraming).drained();
});

test("drained() rejects with what destroys the socket while it waits", { timeout }, async () => {
  const reason = new Error("enough");
  const { socket } = recorder({ isOpen: false });
  socket.on("error", () => {});
  const writer = createFrameWriter(socket, lengthFraming);
  writer.write(pattern(100_000));
  const drained = writer.drained();
  socket.destroy(reason);
  await assert.rejects(drained, reason);
  await assert.rejects(writer.drained(), reason);
  await until(() => socket.closed);
  await assert.rejects(writer.drained(), reason);
});

test("drained() rejects with ERR_STREAM_PREMATURE_CLOSE when our own side destroys the socket", {
  timeout,
}, async (t) => {
  const { near } = await connectedPair(t);
  const writer = createFrameWriter(near, lengthFraming);
  while (writer.write(pattern(1_048_576))) await endOfTurn();
  const drained = writer.drained();
  near.destroy();
  await assert.rejects(drained, { code: "ERR_STREAM_PREMATURE_CLOSE" });
});

test("drained() rejects when the peer resets the connection", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  const writer = createFrameWriter(near, lengthFraming);
  for (let i = 0; i < 64; i++) writer.write(pattern(1_048_576));
  const drained = writer.drained();
  far.resetAndDestroy();
  await assert.rejects(drained, (error: NodeJS.ErrnoException) => ["ECONNRESET", "EPIPE"].includes(error.code ?? ""));
});

test("write() throws EPIPE once the connection is closed", { timeout }, async (t) => {
  for (const close of ["end", "destroy"] as const) {
    const { near } = await connectedPair(t);
    const writer = createFrameWriter(near, lengthFraming);
    writer.write(utf8("fine"));
    near[close]();
    assert.throws(() => writer.write(utf8("late")), { name: "Error", code: "EPIPE" });
  }
});

test("a peer that reads slowly gets every message, and never more than the high-water mark waits here", {
  timeout,
}, async (t) => {
  const { near, far } = await connectedPair(t);
  const writer = createFrameWriter(near, lengthFraming);
  const count = 300;
  let mostBytes = 0;
  const sending = (async () => {
    for (let i = 0; i < count; i++) {
      const mayGoOn = writer.write(pattern(65_536).fill(i % 251, 0, 1));
      mostBytes = Math.max(mostBytes, near.writableLength);
      if (!mayGoOn) await writer.drained();
    }
    near.end();
  })();
  const firsts: (number | undefined)[] = [];
  for await (const frames of readFrames(far, lengthFraming.createDecoder())) {
    firsts.push(...frames.map((frame) => frame[0]));
    await endOfTurn();
  }
  await sending;
  assert.deepEqual(
    firsts,
    Array.from({ length: count }, (_, i) => i % 251),
  );
  assert.ok(mostBytes <= 262_144 + 65_540, `${mostBytes} bytes waited`);
});

test("messages of many connections do not mix, whether their peers read fast or slowly", {
  timeout: 120_000,
}, async (t) => {
  // Every turn writes to every connection; those with a slow peer have bytes waiting when the others go on.
  const turns = IS_HEAVY ? 2_000 : 200;
  const random = fc.sample(fc.nat(8_191), { numRuns: 1_000, seed: 1 });
  const check = async (id: number) => {
    const { near, far } = await connectedPair(t);
    const isSlow = id % 2 === 0;
    const [written, readMessages] = await Promise.all([send(near, id), receive(far, id, isSlow)]);
    assert.equal(readMessages, written);
  };
  async function send(socket: Socket, id: number): Promise<number> {
    const writer = createFrameWriter(socket, lengthFraming);
    let messages = 0;
    for (let turn = 0; turn < turns; turn++) {
      for (let i = 0; i < 20; i++, messages++) {
        const length = 8 + (random[(messages * 7 + id) % random.length] ?? 0);
        const message = new Uint8Array(length).fill((id * 31 + messages) % 256);
        if (!writer.write(message) && i === 19) await writer.drained();
      }
      await endOfTurn();
    }
    socket.end();
    return messages;
  }
  async function receive(socket: Socket, id: number, isSlow: boolean): Promise<number> {
    let messages = 0;
    for await (const frames of readFrames(socket, lengthFraming.createDecoder())) {
      for (const frame of frames) {
        const length = 8 + (random[(messages * 7 + id) % random.length] ?? 0);
        const expected = (id * 31 + messages++) % 256;
        assert.equal(frame.length, length);
        assert.ok(
          frame.every((byte) => byte === expected),
          `message ${messages} of connection ${id}`,
        );
      }
      if (isSlow) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return messages;
  }
  await Promise.all(Array.from({ length: 8 }, (_, id) => check(id)));
});

test("bytes that wait for the peer are not overwritten by what other connections send", { timeout }, async (t) => {
  const slow = await connectedPair(t);
  const quick = await connectedPair(t);
  const slowWriter = createFrameWriter(slow.near, lengthFraming);
  const quickWriter = createFrameWriter(quick.near, lengthFraming);
  quick.far.resume();
  // Short messages only, 160 KB a turn, to a peer that reads nothing: at some point they stay here.
  let sent = 0;
  do {
    for (let i = 0; i < 40; i++) slowWriter.write(new Uint8Array(4_000).fill(sent++ % 256));
    await endOfTurn();
  } while (slow.near.writableLength === 0);
  for (let turn = 0; turn < 20; turn++) {
    for (let i = 0; i < 40; i++) quickWriter.write(new Uint8Array(4_000).fill(0xee));
    await quickWriter.drained();
    await endOfTurn();
  }
  slow.near.end();
  let received = 0;
  for await (const frames of readFrames(slow.far, lengthFraming.createDecoder())) {
    for (const frame of frames) {
      const expected = received++ % 256;
      assert.equal(frame.length, 4_000);
      assert.ok(
        frame.every((byte) => byte === expected),
        `message ${received}`,
      );
    }
  }
  assert.equal(received, sent);
});
