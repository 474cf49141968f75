/**
 * What a decoder is fed with: equal frames behind each other, cut into chunks anywhere.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type MeasureRequest, repeatFor, type VariantOptions, wrongResult } from "../../src/bench/variant.ts";

/** Bytes of a wire, in chunks, and what has to come out of them. */
export interface Wire {
  chunks: Uint8Array[];
  frames: number;
  /** Of the messages, without what the framing adds. */
  messageBytes: number;
  wireBytes: number;
}

/** Counts what a decoder gives. */
export interface Tally {
  frames: number;
  bytes: number;
}

/** What the variants of this benchmark are told. */
export interface WireOptions {
  frameBytes: number;
  /** The wire is the shortest of whole frames that is at least this long. */
  wireBytes: number;
  /** Frames a second, or nanoseconds a byte. */
  unit: "frames/s" | "ns/byte";
}

/** What Node reads from a socket at once. */
export const CHUNK_BYTES = 65_536;
/** No power of two: else the borders of frames whose size is one would keep the same distance from those of chunks. */
const FIRST_CHUNK_BYTES = 33_333;

/** Reads the options that all variants share. @throws {TypeError} */
export function parseWireOptions({ frameBytes, wireBytes, unit }: VariantOptions): WireOptions {
  if (typeof frameBytes !== "number" || typeof wireBytes !== "number") {
    throw new TypeError(`Cannot build wire: current value is ${frameBytes}, ${wireBytes}`);
  }
  return { frameBytes, wireBytes, unit: unit === "ns/byte" ? unit : "frames/s" };
}

/** Builds a wire of printable messages; `encode` makes a frame of one, in the format of the decoder. */
export function buildWire(encode: (message: Uint8Array) => Uint8Array, options: WireOptions): Wire {
  const message = Buffer.alloc(options.frameBytes, "The quick brown fox jumps over the lazy dog. ");
  const frame = encode(message);
  const frames = Math.ceil(options.wireBytes / frame.length);
  return {
    chunks: cutRepeated(frame, frames * frame.length),
    frames,
    messageBytes: frames * message.length,
    wireBytes: frames * frame.length,
  };
}

/** Each chunk has memory of its own, as those of a socket have. */
function cutRepeated(frame: Uint8Array, wireBytes: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < wireBytes; ) {
    const size = Math.min(start === 0 ? FIRST_CHUNK_BYTES : CHUNK_BYTES, wireBytes - start);
    const chunk = Buffer.allocUnsafeSlow(size);
    for (let filled = 0; filled < size; ) {
      const from = (start + filled) % frame.length;
      const part = frame.subarray(from, from + size - filled);
      chunk.set(part, filled);
      filled += part.length;
    }
    chunks.push(chunk);
    start += size;
  }
  return chunks;
}

/** Decodes the whole wire as often as the time allows; each time all frames and bytes have to come out. */
export async function measureDecoding(
  wire: Wire,
  decode: () => Tally | Promise<Tally>,
  { forMs }: MeasureRequest,
  { unit }: WireOptions,
): Promise<number> {
  const { passes, ns } = await repeatFor(forMs, async () => {
    const { frames, bytes } = await decode();
    if (frames === wire.frames && bytes === wire.messageBytes) return;
    throw wrongResult(`${frames} frames of ${wire.frames}, ${bytes} bytes of ${wire.messageBytes}`);
  });
  return unit === "ns/byte" ? ns / (passes * wire.wireBytes) : (passes * wire.frames * 1e9) / ns;
}
