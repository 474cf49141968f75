/**
 * The floor under small frames: one object a frame, a view made without looking for its borders.
 *
 * @module
 */
import type { VariantSetup } from "../../src/bench/variant.ts";
import { buildWire, measureDecoding, parseWireOptions, type Tally } from "./wire.ts";

/** Options as those of `ours.ts`. The wire is messages alone, so a chunk of 64 KiB holds a whole number of them. */
export const setup: VariantSetup = (options) => {
  const wireOptions = parseWireOptions(options);
  const { frameBytes } = wireOptions;
  const wire = buildWire((message) => message, wireOptions);
  const whole = joinChunks(wire.chunks);
  return {
    measure: (request) => measureDecoding(wire, () => view(whole, frameBytes), request, wireOptions),
  };
};

/** As much at once as a chunk is: the list of its frames is made as a decoder makes it. */
const STEP_BYTES = 65_536;

function view(whole: Uint8Array, frameBytes: number): Tally {
  const tally = { frames: 0, bytes: 0 };
  for (let start = 0; start < whole.length; start += STEP_BYTES) {
    const frames: Uint8Array[] = [];
    const end = Math.min(start + STEP_BYTES, whole.length);
    for (let offset = start; offset < end; offset += frameBytes) {
      frames.push(new Uint8Array(whole.buffer, offset, frameBytes));
    }
    for (const frame of frames) {
      tally.frames++;
      tally.bytes += frame.length;
    }
  }
  return tally;
}

function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((bytes, chunk) => bytes + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
