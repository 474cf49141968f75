import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startProgram } from "../src/child.ts";
import { DEFAULT_MAX_FRAME_BYTES, encodeFrame, type FrameDecoder, lengthFraming, lineFraming } from "../src/framing.ts";
import { asHex, pattern, utf8 } from "./support.ts";

const timeout = 10_000;

/** The header that announces a message of `length` bytes. */
function header(length: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

/** The frames of a wire that comes in one-byte pieces of their own. */
function decodeBytewise(decoder: FrameDecoder, wire: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const byte of wire) frames.push(...decoder.decode(Uint8Array.of(byte)));
  return frames;
}

for (const framing of [lengthFraming, lineFraming]) {
  describe(`${framing.name}Framing`, () => {
    const messages = [utf8("one"), new Uint8Array(0), pattern(70_000, { newlines: false }), utf8("last")];
    const wire = Buffer.concat(messages.map((message) => encodeFrame(framing, message)));

    test("gives back every message of one chunk, in order", { timeout }, () => {
      assert.deepEqual(asHex(framing.createDecoder().decode(wire)), asHex(messages));
    });

    test("gives back every message that comes byte by byte", { timeout }, () => {
      assert.deepEqual(asHex(decodeBytewise(framing.createDecoder(), wire)), asHex(messages));
    });

    test("an empty frame is a frame", { timeout }, () => {
      const empty = encodeFrame(framing, new Uint8Array(0));
      assert.equal(empty.length, framing.headerBytes + framing.trailerBytes);
      const frames = decodeBytewise(framing.createDecoder(), Buffer.concat([empty, empty, empty]));
      assert.deepEqual(
        frames.map(({ length }) => length),
        [0, 0, 0],
      );
    });

    test("an empty chunk changes nothing", { timeout }, () => {
      const decoder = framing.createDecoder();
      assert.deepEqual(decoder.decode(new Uint8Array(0)), []);
      assert.equal(decoder.isInsideFrame, false);
      decoder.decode(wire.subarray(0, 2));
      assert.deepEqual(decoder.decode(new Uint8Array(0)), []);
      assert.deepEqual(asHex(decoder.decode(wire.subarray(2))), asHex(messages));
    });

    test("the end is clean between frames and ERR_FRAME_TRUNCATED at every byte inside one", {
      timeout,
    }, () => {
      const single = encodeFrame(framing, utf8("Hello"));
      for (let cut = 0; cut <= single.length; cut++) {
        const decoder = framing.createDecoder();
        decoder.decode(single.subarray(0, cut));
        const isWhole = cut === 0 || cut === single.length;
        assert.equal(decoder.isInsideFrame, !isWhole);
        if (isWhole) {
          decoder.end();
          assert.equal(decoder.error, undefined);
          continue;
        }
        const expected = { code: "ERR_FRAME_TRUNCATED", name: "Error", frameBytes: cut };
        assert.throws(() => decoder.end(), expected);
        // A broken decoder stays broken.
        assert.throws(() => decoder.decode(single), expected);
        assert.throws(() => decoder.end(), expected);
      }
    });

    test("a message of the limit passes, one byte more is refused", { timeout }, () => {
      const options = { maxFrameBytes: 1_000 };
      const fits = encodeFrame(framing, pattern(1_000, { newlines: false }), options);
      assert.equal(framing.createDecoder(options).decode(fits)[0]?.length, 1_000);
      assert.equal(decodeBytewise(framing.createDecoder(options), fits)[0]?.length, 1_000);
      const tooLong = encodeFrame(framing, pattern(1_001, { newlines: false }));
      const expected = {
        code: "ERR_FRAME_TOO_LARGE",
        name: "RangeError",
        frameBytes: 1_001,
        maxFrameBytes: 1_000,
        message: "Cannot read frame of 1001 bytes: limit is 1000",
      };
      assert.throws(() => framing.createDecoder(options).decode(tooLong), expected);
      assert.throws(() => decodeBytewise(framing.createDecoder(options), tooLong), expected);
    });

    test("the default limit is 1 MiB", { timeout }, () => {
      assert.equal(DEFAULT_MAX_FRAME_BYTES, 1_048_576);
      const tooLong = pattern(DEFAULT_MAX_FRAME_BYTES + 1, { newlines: false });
      assert.throws(() => encodeFrame(framing, tooLong), { maxFrameBytes: DEFAULT_MAX_FRAME_BYTES });
      const wireOfTooLong = encodeFrame(framing, tooLong, { maxFrameBytes: 2_000_000 });
      assert.throws(() => framing.createDecoder().decode(wireOfTooLong), { code: "ERR_FRAME_TOO_LARGE" });
      const fits = encodeFrame(framing, tooLong.subarray(1));
      assert.equal(framing.createDecoder().decode(fits).length, 1);
    });

    test("whole messages before a fault in the same chunk are returned, then it stays broken", {
      timeout,
    }, () => {
      const decoder = framing.createDecoder({ maxFrameBytes: 5 });
      const good = [utf8("one"), utf8("two"), utf8("three")];
      const bad = encodeFrame(framing, utf8("far too long"));
      const chunk = Buffer.concat([...good.map((message) => encodeFrame(framing, message)), bad]);
      assert.deepEqual(asHex(decoder.decode(chunk)), asHex(good));
      const expected = { code: "ERR_FRAME_TOO_LARGE", frameBytes: 12, maxFrameBytes: 5 };
      const { error } = decoder;
      assert.ok(error instanceof RangeError);
      assert.equal(error.code, "ERR_FRAME_TOO_LARGE");
      for (let again = 0; again < 3; again++) {
        assert.throws(() => decoder.decode(encodeFrame(framing, utf8("fine"))), expected);
        assert.throws(() => decoder.end(), expected);
      }
      assert.equal(decoder.error, error);
    });

    test("messages keep their bytes while later chunks come", { timeout }, () => {
      const decoder = framing.createDecoder();
      const sent = Array.from({ length: 50 }, (_, i) => pattern(i * 700, { newlines: false }).fill(65 + i, -1));
      const all = Buffer.concat(sent.map((message) => encodeFrame(framing, message)));
      const kept: Uint8Array[] = [];
      for (let offset = 0; offset < all.length; offset += 1_009) {
        // Each chunk is memory of its own, as from a socket.
        kept.push(...decoder.decode(Buffer.from(all.subarray(offset, offset + 1_009))));
      }
      assert.deepEqual(asHex(kept), asHex(sent));
    });

    for (const maxFrameBytes of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32]) {
      test(`a limit of ${maxFrameBytes} is a RangeError`, { timeout }, () => {
        const expected = {
          name: "RangeError",
          message: new RegExp(`^Cannot limit frames to ${maxFrameBytes} `),
        };
        assert.throws(() => framing.createDecoder({ maxFrameBytes }), expected);
        assert.throws(() => encodeFrame(framing, new Uint8Array(0), { maxFrameBytes }), expected);
      });
    }

    test("limits of 1 and of 2^32 - 1 are allowed", { timeout }, () => {
      for (const maxFrameBytes of [1, 2 ** 32 - 1]) {
        const wireOfOne = encodeFrame(framing, utf8("x"), { maxFrameBytes });
        assert.deepEqual(asHex(framing.createDecoder({ maxFrameBytes }).decode(wireOfOne)), ["78"]);
      }
    });

    test("encodeFrame() refuses a message above the limit", { timeout }, () => {
      assert.throws(() => encodeFrame(framing, utf8("Hello"), { maxFrameBytes: 4 }), {
        code: "ERR_FRAME_TOO_LARGE",
        name: "RangeError",
        frameBytes: 5,
        maxFrameBytes: 4,
        message: "Cannot send frame of 5 bytes: limit is 4",
      });
    });

    test("a peer that sends byte by byte makes us hold about what it sent", {
      timeout: 30_000,
    }, async (t) => {
      const child = startProgram(new URL("fixtures/hold-bytes.ts", import.meta.url), [framing.name]);
      t.after(() => child.stop("SIGKILL"));
      assert.deepEqual(await child.exited, { code: 0, signal: null }, child.errors.join("\n"));
      const { sentBytes, heldBytes, naiveFactor } = JSON.parse(child.output.join(""));
      t.diagnostic(`${sentBytes} bytes sent, ${heldBytes} held, ${naiveFactor.toFixed(0)} times if each is kept`);
      // Below it by what the measuring itself freed.
      assert.ok(heldBytes >= 0.8 * sentBytes, "it holds the message");
      assert.ok(heldBytes <= 2 * sentBytes + 65_536, `holds ${heldBytes} bytes`);
      assert.ok(naiveFactor > 20, `keeping every piece costs ${naiveFactor} times`);
    });
  });
}

describe("lengthFraming", () => {
  test("has the length in front, 4 bytes, big-endian", { timeout }, () => {
    assert.deepEqual([...encodeFrame(lengthFraming, utf8("Hi"))], [0, 0, 0, 2, 0x48, 0x69]);
    const wire = encodeFrame(lengthFraming, new Uint8Array(0x010203));
    assert.deepEqual([...wire.subarray(0, 4)], [0, 1, 2, 3]);
    const target = new Uint8Array(6);
    assert.equal(lengthFraming.writeHeader(target, 1, 0xfefdfcfb), 5);
    assert.deepEqual([...target], [0, 0xfe, 0xfd, 0xfc, 0xfb, 0]);
  });

  test("takes any bytes", { timeout }, () => {
    const every = Uint8Array.from({ length: 256 }, (_, i) => i);
    assert.deepEqual(asHex(lengthFraming.createDecoder().decode(encodeFrame(lengthFraming, every))), asHex([every]));
  });

  for (const announced of [11, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    test(`an announced length of ${announced} above a limit of 10 is refused at its header`, {
      timeout,
    }, () => {
      const expected = { code: "ERR_FRAME_TOO_LARGE", frameBytes: announced, maxFrameBytes: 10 };
      assert.throws(() => lengthFraming.createDecoder({ maxFrameBytes: 10 }).decode(header(announced)), expected);
      const bytewise = lengthFraming.createDecoder({ maxFrameBytes: 10 });
      assert.throws(() => decodeBytewise(bytewise, header(announced)), expected);
    });
  }
});

describe("lineFraming", () => {
  test("has a newline behind; a carriage return is an ordinary byte", { timeout }, () => {
    assert.deepEqual([...encodeFrame(lineFraming, utf8("Hi\r"))], [0x48, 0x69, 0x0d, 0x0a]);
    assert.deepEqual(asHex(lineFraming.createDecoder().decode(utf8("Hi\r\n"))), ["48690d"]);
  });

  test("a message with a newline is ERR_FRAME_DELIMITER", { timeout }, () => {
    assert.throws(() => encodeFrame(lineFraming, utf8("one\ntwo")), {
      code: "ERR_FRAME_DELIMITER",
      name: "TypeError",
      frameBytes: 7,
      message: "Cannot send line of 7 bytes: byte 3 is a newline",
    });
  });
});
