import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeFrame, lengthFraming, lineFraming } from "../src/framing.ts";
import { readFrames } from "../src/read-frames.ts";
import { createFrameWriter } from "../src/write-frames.ts";
import { asHex, endOfTurn, IS_HEAVY, pattern, recorder, utf8 } from "./support.ts";

const timeout = 20_000;

for (const framing of [lengthFraming, lineFraming]) {
  describe(`createFrameWriter() with ${framing.name}Framing`, () => {
    test("sends what one turn produced in one write, of one piece", { timeout }, async () => {
      const { socket, writes } = recorder();
      const writer = createFrameWriter(socket, framing);
      const messages = Array.from({ length: 100 }, (_, i) => utf8(`message ${i}`));
      for (const message of messages) assert.equal(writer.write(message), true);
      assert.equal(writes.length, 0, "nothing is sent before the turn ends");
      await endOfTurn();
      const wire = Buffer.concat(messages.map((message) => encodeFrame(framing, message)));
      assert.deepEqual(writes.map(asHex), [asHex([wire])]);
    });

    test("sends what the promise callbacks of the same turn write in the same piece", { timeout }, async () => {
      const { socket, writes } = recorder();
      const writer = createFrameWriter(socket, framing);
      writer.write(utf8("one"));
      const later = (async () => {
        for (const word of ["two", "three", "four"]) {
          await Promise.resolve();
          writer.write(utf8(word));
        }
      })();
      await later;
      await endOfTurn();
      const wire = ["one", "two", "three", "four"].map((word) => encodeFrame(framing, utf8(word)));
      assert.deepEqual(writes.map(asHex), [asHex([Buffer.concat(wire)])]);
    });

    test("sends a message that is alone at once, in one piece with what was queued before it", {
      timeout,
    }, async () => {
      const { socket, writes } = recorder();
      const writer = createFrameWriter(socket, framing);
      assert.equal(writer.write(utf8("one"), true), true);
      assert.equal(writes.length, 1, "not at the end of the turn");
      writer.write(utf8("two"));
      writer.write(utf8("three"), true);
      await endOfTurn();
      const wires = [["one"], ["two", "three"]].map((words) =>
        Buffer.concat(words.map((word) => encodeFrame(framing, utf8(word)))),
      );
      assert.deepEqual(
        writes.map(asHex),
        wires.map((wire) => asHex([wire])),
      );
    });

    test("sends two turns in two writes", { timeout }, async () => {
      const { socket, writes } = recorder();
      const writer = createFrameWriter(socket, framing);
      for (const word of ["one", "two"]) {
        writer.write(utf8(word));
        await endOfTurn();
      }
      const wire = ["one", "two"].map((word) => asHex([encodeFrame(framing, utf8(word))]));
      assert.deepEqual(writes.map(asHex), wire);
    });

    test("sends a long message by reference, with what is before and behind it in the same write", {
      timeout,
    }, async () => {
      const { socket, writes } = recorder();
      const writer = createFrameWriter(socket, framing);
      const long = pattern(300_000, { newlines: false });
      writer.write(utf8("before"));
      writer.write(long);
      writer.write(utf8("behind"));
      await endOfTurn();
      assert.equal(writes.length, 1);
      const sent = writes[0] ?? [];
      assert.ok(
        sent.some(({ buffer }) => buffer === long.buffer),
        "the message's own bytes are handed over",
      );
      const wire = [utf8("before"), long, utf8("behind")].map((message) => encodeFrame(framing, message));
      assert.equal(Buffer.compare(Buffer.concat(sent), Buffer.concat(wire)), 0);
    });

    test("any list of messages of 0 to 40 KiB comes out as it went in", { timeout: 120_000 }, async () => {
      // Around 8 KiB the writer goes over from copying to handing on.
      const size = fc.oneof(fc.nat(40_960), fc.nat(20), fc.integer({ min: 8_190, max: 8_194 }));
      const turns = fc.array(fc.array(size, { maxLength: 6 }), { maxLength: 5 });
      const property = fc.asyncProperty(turns, async (sizes) => {
        const stream = new PassThrough({ highWaterMark: 2 ** 30 });
        const writer = createFrameWriter(stream, framing);
        const sent: Uint8Array[] = [];
        for (const turn of sizes) {
          for (const length of turn) {
            const message = pattern(length, { newlines: false }).fill(65 + (sent.length % 26), 0, 1);
            sent.push(message);
            writer.write(message);
          }
          await endOfTurn();
        }
        stream.end();
        const got: Uint8Array[] = [];
        for await (const frames of readFrames(stream, framing.createDecoder())) got.push(...frames);
        assert.equal(got.length, sent.length);
        assert.ok(got.every((frame, i) => Buffer.compare(frame, sent[i] ?? new Uint8Array(0)) === 0));
      });
      await fc.assert(property, { numRuns: IS_HEAVY ? 5_000 : 200 });
    });

    test("a message above the limit throws before anything of it is sent; the next goes out", { timeout }, async () => {
      const { socket, writes } = recorder();
      const writer = createFrameWriter(socket, framing, { maxFrameBytes: 5 });
      writer.write(utf8("12345"));
      assert.throws(() => writer.write(utf8("123456")), {
        code: "ERR_FRAME_TOO_LARGE",
        frameBytes: 6,
        maxFrameBytes: 5,
      });
      writer.write(utf8("next"));
      await endOfTurn();
      const wire = ["12345", "next"].map((word) => encodeFrame(framing, utf8(word)));
      assert.equal(Buffer.concat(writes.flat()).toString("hex"), Buffer.concat(wire).toString("hex"));
    });
  });
}

test("createFrameWriter() refuses a line with a newline in it, and sends nothing of it", { timeout }, async () => {
  const { socket, writes } = recorder();
  const writer = createFrameWriter(socket, lineFraming);
  assert.throws(() => writer.write(utf8("one\ntwo")), { code: "ERR_FRAME_DELIMITER" });
  await endOfTurn();
  assert.deepEqual(writes, []);
});

test("createFrameWriter() refuses a limit that is none", { timeout }, () => {
  for (const maxFrameBytes of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32]) {
    assert.throws(() => createFrameWriter(recorder().socket, lengthFraming, { maxFrameBytes }), RangeError);
  }
});
