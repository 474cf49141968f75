/**
 * The decoders of `@ipc/core/framing`, fed chunk by chunk.
 *
 * @module
 */
import { encodeFrame, lengthFraming, lineFraming } from "@ipc/core/framing";
import { createTextLineDecoder } from "@ipc/core/text-lines";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { buildWire, measureDecoding, parseWireOptions, type Tally } from "./wire.ts";

/** `framing`: `length` or `lines`; `isText`: gives strings, as `split2` does. */
export const setup: VariantSetup = (options) => {
  const wireOptions = parseWireOptions(options);
  const framing = options["framing"] === "lines" ? lineFraming : lengthFraming;
  const limits = { maxFrameBytes: wireOptions.frameBytes };
  const wire = buildWire((message) => encodeFrame(framing, message, limits), wireOptions);
  const createDecoder = options["isText"] === true ? createTextLineDecoder : framing.createDecoder;
  return {
    measure: (request) =>
      measureDecoding(wire, () => decodeAll(createDecoder(limits), wire.chunks), request, wireOptions),
  };
};

interface Decoder {
  decode(chunk: Uint8Array): readonly { length: number }[];
  end(): void;
}

function decodeAll(decoder: Decoder, chunks: readonly Uint8Array[]): Tally {
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
