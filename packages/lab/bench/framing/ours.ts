/**
 * The decoders of `@ipc/core/framing`, fed chunk by chunk.
 *
 * @module
 */
import { encodeFrame, type Framing, lengthFraming, lineFraming } from "@ipc/core/framing";
import { createTextLineDecoder } from "@ipc/core/text-lines";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { buildWire, measureDecoding, parseWireOptions, type Tally } from "./wire.ts";

/** `framing`: `length` or `lines`; `isText`: gives strings, as `split2` does. */
export const setup: VariantSetup = (options) => {
  const wireOptions = parseWireOptions(options);
  const framing = options["framing"] === "lines" ? lineFraming : lengthFraming;
  const limits = { maxFrameBytes: wireOptions.frameBytes };
  const wire = buildWire((message) => encodeFrame(framing, message, limits), wireOptions);
  const decode = options["isText"] === true ? decodeToText : decodeToBytes;
  return {
    measure: (request) => measureDecoding(wire, () => decode(framing, wire.chunks, limits), request, wireOptions),
  };
};

function decodeToBytes(framing: Framing, chunks: readonly Uint8Array[], limits: { maxFrameBytes: number }): Tally {
  const decoder = framing.createDecoder(limits);
  const tally = { frames: 0, bytes: 0 };
  for (const chunk of chunks) {
    for (const frame of decoder.decode(chunk)) {
      tally.frames++;
      tally.bytes += frame.length;
    }
  }
  decoder.end();
  return tally;
}

function decodeToText(_framing: Framing, chunks: readonly Uint8Array[], limits: { maxFrameBytes: number }): Tally {
  const decoder = createTextLineDecoder(limits);
  const tally = { frames: 0, bytes: 0 };
  for (const chunk of chunks) {
    for (const line of decoder.decode(chunk)) {
      tally.frames++;
      tally.bytes += line.length;
    }
  }
  decoder.end();
  return tally;
}
