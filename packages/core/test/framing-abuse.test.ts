import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame, lengthFraming, lineFraming } from "../src/framing.ts";
import { bufferBytes, utf8 } from "./support.ts";

const timeout = 20_000;
const MIB = 1_048_576;

test("lengthFraming refuses a length above the limit without making room for it", { timeout }, () => {
  const before = bufferBytes();
  const decoders = Array.from({ length: 1_000 }, () => lengthFraming.createDecoder());
  for (const [i, decoder] of decoders.entries()) {
    const announced = i % 2 === 0 ? Uint8Array.of(255, 255, 255, 255) : Uint8Array.of(0, 16, 0, 1);
    assert.throws(() => decoder.decode(announced), { code: "ERR_FRAME_TOO_LARGE" });
  }
  const grownBytes = bufferBytes() - before;
  assert.ok(grownBytes < 65_536, `grew by ${grownBytes} bytes`);
  assert.ok(decoders.every(({ error }) => error));
});

test("lengthFraming makes room for what came, not for what was announced", { timeout }, () => {
  const before = bufferBytes();
  const decoders = Array.from({ length: 1_000 }, () => lengthFraming.createDecoder());
  for (const decoder of decoders) {
    decoder.decode(Uint8Array.of(0, 16, 0, 0));
    decoder.decode(Uint8Array.of(1));
  }
  const grownBytes = bufferBytes() - before;
  assert.ok(grownBytes < MIB, `1000 MiB announced, 1000 bytes sent, grew by ${grownBytes} bytes`);
  assert.ok(decoders.every(({ isInsideFrame }) => isInsideFrame));
});

test("lineFraming refuses a line without an end at the limit, and holds no more", { timeout }, () => {
  const chunk = new Uint8Array(65_536).fill(0x61);
  const decoder = lineFraming.createDecoder();
  const before = bufferBytes();
  let sentBytes = 0;
  let mostBytes = 0;
  const send64MiB = () => {
    for (; sentBytes < 64 * MIB; sentBytes += chunk.length) {
      decoder.decode(chunk.slice());
      mostBytes = Math.max(mostBytes, bufferBytes() - before);
    }
  };
  assert.throws(send64MiB, {
    code: "ERR_FRAME_TOO_LARGE",
    frameBytes: MIB + chunk.length,
    maxFrameBytes: MIB,
  });
  assert.equal(sentBytes, MIB);
  assert.ok(mostBytes <= MIB + 65_536, `held ${mostBytes} bytes`);
});

test("lineFraming looks at each byte of a line of 64 MiB once: within 1 s of CPU", { timeout }, (t) => {
  const chunk = new Uint8Array(65_536).fill(0x61);
  const decoder = lineFraming.createDecoder({ maxFrameBytes: 64 * MIB + 1 });
  const start = process.cpuUsage();
  for (let sentBytes = 0; sentBytes < 64 * MIB; sentBytes += chunk.length) decoder.decode(chunk);
  const [line] = decoder.decode(Uint8Array.of(0x62, 0x0a));
  const { user, system } = process.cpuUsage(start);
  t.diagnostic(`${((user + system) / 1_000).toFixed(0)} ms of CPU`);
  assert.equal(line?.length, 64 * MIB + 1);
  assert.equal(line?.at(-1), 0x62);
  assert.ok(user + system <= 1_000_000, `took ${user + system} µs`);
});

test("lineFraming takes a line of 1 MiB in small pieces in linear time", { timeout }, (t) => {
  // Scanning or joining anew with each of 65,536 pieces would move 32 GiB.
  const decoder = lineFraming.createDecoder();
  const piece = new Uint8Array(16).fill(0x61);
  const start = process.cpuUsage();
  for (let i = 0; i < MIB / piece.length; i++) decoder.decode(piece);
  assert.equal(decoder.decode(Uint8Array.of(0x0a))[0]?.length, MIB);
  const { user, system } = process.cpuUsage(start);
  t.diagnostic(`${((user + system) / 1_000).toFixed(0)} ms of CPU`);
  assert.ok(user + system <= 1_000_000, `took ${user + system} µs`);
});

test("a decoder is empty after each message: 20,000 messages in pieces hold nothing", { timeout }, () => {
  for (const framing of [lengthFraming, lineFraming]) {
    const decoder = framing.createDecoder();
    const wire = encodeFrame(framing, utf8("a message of some length".repeat(20)));
    const before = bufferBytes();
    for (let i = 0; i < 20_000; i++) {
      decoder.decode(wire.slice(0, 100));
      assert.equal(decoder.decode(wire.slice(100)).length, 1);
    }
    const grownBytes = bufferBytes() - before;
    assert.ok(grownBytes < 65_536, `${framing.name} grew by ${grownBytes} bytes`);
    assert.equal(decoder.isInsideFrame, false);
  }
});
