import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeFrame, type Framing, lengthFraming, lineFraming } from "../src/framing.ts";
import { asHex, IS_HEAVY, pattern } from "./support.ts";

const timeout = 300_000;
const FRAMINGS = [lengthFraming, lineFraming];
const RANDOM_CUTS = IS_HEAVY ? 100_000 : 3_000;
const FUZZ_INPUTS = IS_HEAVY ? 1_000_000 : 100_000;

/** What a decoder makes of chunks: the frames, how it ended, and how long its slowest call took. */
interface Outcome {
  frames: Uint8Array[];
  error: unknown;
  slowestMs: number;
}

function decodeAll(framing: Framing, chunks: Iterable<Uint8Array>, maxFrameBytes?: number): Outcome {
  const decoder = framing.createDecoder(maxFrameBytes === undefined ? {} : { maxFrameBytes });
  const outcome: Outcome = { frames: [], error: undefined, slowestMs: 0 };
  try {
    for (const chunk of chunks) {
      const start = performance.now();
      try {
        outcome.frames.push(...decoder.decode(chunk));
      } finally {
        outcome.slowestMs = Math.max(outcome.slowestMs, performance.now() - start);
      }
    }
    decoder.end();
  } catch (error) {
    outcome.error = error;
  }
  return outcome;
}

/** The wire cut behind byte i + 1 where bit i of `cuts` is set. */
function* cutByBits(wire: Uint8Array, cuts: number): Generator<Uint8Array> {
  let start = 0;
  for (let end = 1; end <= wire.length; end++) {
    if (end < wire.length && (cuts & (1 << (end - 1))) === 0) continue;
    yield wire.slice(start, end);
    start = end;
  }
}

/** The wire cut into pieces of these sizes, again and again. */
function* cutBySizes(wire: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let start = 0, i = 0; start < wire.length; i++) {
    const end = start + (sizes[i % sizes.length] ?? 1);
    yield wire.slice(start, end);
    start = end;
  }
}

const join = (framing: Framing, messages: readonly Uint8Array[]) =>
  Buffer.concat(messages.map((message) => encodeFrame(framing, message)));

for (const framing of FRAMINGS) {
  const inFrame = (bytes: Uint8Array) => (framing === lineFraming ? bytes.map((b) => (b === 10 ? 11 : b)) : bytes);

  describe(`${framing.name}Framing`, () => {
    test("every one of the 2^(n-1) cuts of a wire of up to 12 bytes gives the same messages", {
      timeout,
    }, (t) => {
      let cuts = 0;
      for (const sizes of shortLists(framing)) {
        const messages = sizes.map((size, i) => new Uint8Array(size).fill(65 + i));
        const wire = join(framing, messages);
        const expected = asHex(messages);
        for (let bits = 0; bits < 2 ** Math.max(wire.length - 1, 0); bits++, cuts++) {
          const { frames, error } = decodeAll(framing, cutByBits(wire, bits));
          assert.equal(error, undefined);
          assert.deepEqual(asHex(frames), expected, `sizes ${sizes}, cuts ${bits.toString(2)}`);
        }
      }
      t.diagnostic(`${cuts} cuts`);
    });

    test("any cut of any messages gives the same messages", { timeout }, () => {
      const messages = fc.array(fc.uint8Array({ maxLength: 40 }).map(inFrame), { maxLength: 8 });
      const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
      const property = fc.property(messages, sizes, (sent, cuts) => {
        const { frames, error } = decodeAll(framing, cutBySizes(join(framing, sent), cuts));
        assert.equal(error, undefined);
        assert.deepEqual(asHex(frames), asHex(sent));
      });
      fc.assert(property, { numRuns: RANDOM_CUTS });
    });

    test("any cut of messages and pieces around 16 KiB gives the same messages", { timeout }, () => {
      const size = fc.oneof(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 16_380, max: 16_388 }));
      const sizes = fc.array(size, { minLength: 1, maxLength: 5 });
      const property = fc.property(sizes, sizes, fc.nat(250), (lengths, cuts, shift) => {
        const sent = lengths.map((length) => inFrame(pattern(length + shift).subarray(shift)));
        const pieces = cuts.map((piece) => Math.max(piece, 100));
        const { frames, error } = decodeAll(framing, cutBySizes(join(framing, sent), pieces));
        assert.equal(error, undefined);
        assert.equal(frames.length, sent.length);
        assert.ok(frames.every((frame, i) => Buffer.compare(frame, sent[i] ?? new Uint8Array(0)) === 0));
      });
      fc.assert(property, { numRuns: RANDOM_CUTS / 10 });
    });

    test("text comes out whole however its bytes of 1 to 4 a character are cut", { timeout }, () => {
      const text = "aé€😀\u{10ffff}ÿ\u0800z";
      const wire = encodeFrame(framing, new TextEncoder().encode(text));
      for (let first = 1; first < wire.length; first++) {
        for (let second = first; second < wire.length; second++) {
          const chunks = [wire.slice(0, first), wire.slice(first, second), wire.slice(second)];
          const [frame] = decodeAll(framing, chunks).frames;
          assert.equal(new TextDecoder("utf-8", { fatal: true }).decode(frame), text, `cuts ${first}, ${second}`);
        }
      }
    });

    test(`${FUZZ_INPUTS} random inputs give messages within the limit or a FrameError, fast`, {
      timeout,
    }, (t) => {
      const outcomes: Record<string, number> = {};
      let slowestMs = 0;
      const property = fc.property(fc.integer(), (seed) => {
        const input = randomInput(framing, seed);
        const wireBytes = input.chunks.reduce((sum, { length }) => sum + length, 0);
        const outcome = decodeAll(framing, input.chunks, input.maxFrameBytes);
        const bytes = outcome.frames.reduce((sum, { length }) => sum + length, 0);
        assert.ok(outcome.frames.every(({ length }) => length <= input.maxFrameBytes));
        assert.ok(bytes + outcome.frames.length * (framing.headerBytes + framing.trailerBytes) <= wireBytes);
        const kind = outcome.error === undefined ? "whole" : checkError(outcome.error, input.maxFrameBytes);
        outcomes[kind] = (outcomes[kind] ?? 0) + 1;
        // A busy machine makes any call slow once; a slow decoder is slow again.
        const again = outcome.slowestMs > 5 ? decodeAll(framing, input.chunks, input.maxFrameBytes) : outcome;
        slowestMs = Math.max(slowestMs, Math.min(outcome.slowestMs, again.slowestMs));
      });
      fc.assert(property, { numRuns: FUZZ_INPUTS });
      t.diagnostic(`slowest call ${slowestMs.toFixed(2)} ms; ${JSON.stringify(outcomes)}`);
      assert.ok(slowestMs <= 50, `a call took ${slowestMs} ms`);
      // Inputs that never reach a branch would show nothing.
      for (const kind of ["whole", "ERR_FRAME_TOO_LARGE", "ERR_FRAME_TRUNCATED"]) {
        assert.ok((outcomes[kind] ?? 0) > FUZZ_INPUTS / 100, `${kind}: ${outcomes[kind]}`);
      }
    });
  });
}

/** Lists of message sizes whose wire has at most 12 bytes: with a length in front every one there is. */
function shortLists(framing: Framing): number[][] {
  if (framing === lengthFraming) return sizesThatFit(framing, 12);
  // Of lines there would be 4,096 lists: every one up to 7 bytes, and some of 12.
  const long = [[11], [5, 5], [10, 0], [0, 10], [0, 4, 5], [2, 0, 0, 3, 1, 0], Array(6).fill(1), Array(12).fill(0)];
  return [...sizesThatFit(framing, 7), ...long];
}

/** Every list of message sizes whose wire has at most `most` bytes. */
function sizesThatFit(framing: Framing, most: number): number[][] {
  const overhead = framing.headerBytes + framing.trailerBytes;
  const lists: number[][] = [[]];
  for (let size = 0; size + overhead <= most; size++) {
    for (const rest of sizesThatFit(framing, most - size - overhead)) lists.push([size, ...rest]);
  }
  return lists;
}

/** Returns the code of an error after checking that it is one of a decoder's. */
function checkError(error: unknown, maxFrameBytes: number): string {
  assert.ok(error instanceof Error && "code" in error && "frameBytes" in error);
  const { code, frameBytes } = error;
  assert.ok(typeof frameBytes === "number");
  if (code === "ERR_FRAME_TRUNCATED") {
    // What it held when the stream ended: never more than a whole frame.
    assert.ok(frameBytes > 0 && frameBytes <= maxFrameBytes + 4);
    return code;
  }
  assert.equal(code, "ERR_FRAME_TOO_LARGE");
  assert.ok(error instanceof RangeError && frameBytes > maxFrameBytes);
  return String(code);
}

/** Up to 64 bytes in up to 8 chunks: any bytes, or mostly those that a frame begins or ends with. */
function randomInput(framing: Framing, seed: number): { chunks: Uint8Array[]; maxFrameBytes: number } {
  let state = seed | 1;
  /** xorshift32 (Marsaglia 2003): fast, and repeatable from fast-check's seed. */
  const below = (limit: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
  const isMild = below(8) > 0;
  const mildBytes = framing === lengthFraming ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2] : [10, 10, 65, 66];
  const chunks = Array.from({ length: 1 + below(8) }, () =>
    Uint8Array.from({ length: below(9) }, () => (isMild ? (mildBytes[below(mildBytes.length)] ?? 0) : below(256))),
  );
  return { chunks, maxFrameBytes: 1 + below(20) };
}
