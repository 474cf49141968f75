/**
 * The floor under large frames: the same chunks, copied once into fresh memory of the size of a frame. No decoder that
 * gives a frame in one piece can do with less; what fresh memory costs (page faults) is in it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { encodeFrame, lengthFraming } from "@ipc/core/framing";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { buildWire, measureDecoding, parseWireOptions, type Tally } from "./wire.ts";

/** Options as those of `ours.ts`. */
export const setup: VariantSetup = (options) => {
  const wireOptions = parseWireOptions(options);
  const { frameBytes } = wireOptions;
  const limits = { maxFrameBytes: frameBytes };
  const wire = buildWire((message) => encodeFrame(lengthFraming, message, limits), wireOptions);
  return {
    measure: (request) => measureDecoding(wire, () => copy(wire.chunks, frameBytes, wire.frames), request, wireOptions),
  };
};

/** Ends with the last whole frame: the headers on the wire are copied as well, but are too few for one frame more. */
function copy(chunks: readonly Uint8Array[], frameBytes: number, frames: number): Tally {
  const tally = { frames: 0, bytes: 0 };
  let target = Buffer.allocUnsafeSlow(frameBytes);
  let used = 0;
  for (const chunk of chunks) {
    for (let offset = 0; offset < chunk.length && tally.frames < frames; ) {
      const end = Math.min(offset + frameBytes - used, chunk.length);
      // A view for each chunk would be garbage of which the collector comes, frees frames, and makes memory less fresh.
      const part = end - offset === chunk.length ? chunk : chunk.subarray(offset, end);
      target.set(part, used);
      used += part.length;
      offset += part.length;
      if (used < frameBytes) continue;
      tally.frames++;
      tally.bytes += target.length;
      used = 0;
      if (tally.frames < frames) target = Buffer.allocUnsafeSlow(frameBytes);
    }
  }
  return tally;
}
