import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createTextLineDecoder } from "../src/text-lines.ts";

const timeout = 20_000;
const line = fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => text.replaceAll("\n", "·"));

test("any cut of any lines gives the same lines, whole characters only", { timeout }, () => {
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(400)), fc.integer({ min: 90, max: 1_000 }), (lines, cuts, limit) => {
      const wire = new TextEncoder().encode(lines.map((text) => `${text}\n`).join(""));
      fc.pre(lines.every((text) => Buffer.byteLength(text) <= limit));
      const borders = [...cuts.filter((cut) => cut < wire.length).sort((a, b) => a - b), wire.length];
      const decoder = createTextLineDecoder({ maxFrameBytes: limit });
      let start = 0;
      const decoded = borders.flatMap((end) => {
        const part = decoder.decode(wire.subarray(start, end));
        start = end;
        return part;
      });
      decoder.end();
      assert.deepEqual(decoded, lines);
    }),
    { numRuns: process.env["IPC_HEAVY"] === "1" ? 100_000 : 2_000 },
  );
});

test("what is no UTF-8 is an error; U+FFFD that was sent as such is not", { timeout }, () => {
  for (const bad of [[0xc3], [0xff], [0xe2, 0x82], [0xed, 0xa0, 0x80]]) {
    const wire = Uint8Array.from([0x61, ...bad, 0x0a]);
    assert.throws(() => createTextLineDecoder().decode(wire), { code: "ERR_ENCODING_INVALID_ENCODED_DATA" });
  }
  assert.deepEqual(createTextLineDecoder().decode(new TextEncoder().encode("\ufffd\n\ufeffx\n")), [
    "\ufffd",
    "\ufeffx",
  ]);
});

test("a line above the limit is refused, in one chunk, in many, and without an end", { timeout }, () => {
  const code = "ERR_FRAME_TOO_LARGE";
  const long = new TextEncoder().encode("ok\n12345\n");
  const decoder = createTextLineDecoder({ maxFrameBytes: 4 });
  assert.deepEqual(decoder.decode(long), ["ok"]);
  assert.throws(() => decoder.decode(Uint8Array.of()), { code });
  const unended = createTextLineDecoder({ maxFrameBytes: 4 });
  assert.deepEqual(unended.decode(new TextEncoder().encode("a\nb\n12345")), ["a", "b"]);
  assert.throws(() => unended.end(), { code });
  const dripped = createTextLineDecoder({ maxFrameBytes: 4 });
  for (const byte of [49, 50, 51, 52]) assert.deepEqual(dripped.decode(Uint8Array.of(byte)), []);
  assert.throws(() => dripped.decode(Uint8Array.of(53)), { code });
  assert.throws(() => createTextLineDecoder({ maxFrameBytes: 0 }), RangeError);
});

test("the end of the stream is clean behind a newline, and an error inside a line", { timeout }, () => {
  const decoder = createTextLineDecoder();
  assert.deepEqual(decoder.decode(new TextEncoder().encode("a\n\nb\n")), ["a", "", "b"]);
  decoder.end();
  decoder.decode(new TextEncoder().encode("cut"));
  assert.throws(() => decoder.end(), { code: "ERR_FRAME_TRUNCATED" });
});
