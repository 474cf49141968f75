/**
 * `it-length-prefixed`, driven as fast as it goes: over a list, where it is a plain generator. Over an async source, as
 * a socket is, it costs a promise a frame more.
 *
 * @module
 */
import type { VariantSetup } from "../../src/bench/variant.ts";
import { decodeIterable, encodeVarint } from "./peers.ts";
import { buildWire, measureDecoding, parseWireOptions, type Tally } from "./wire.ts";

/** `isJoined`: makes one piece of each frame; else it stays the list of pieces that the decoder gives. */
export const setup: VariantSetup = (options) => {
  const wireOptions = parseWireOptions(options);
  const wire = buildWire(encodeVarint, wireOptions);
  const decode = options["isJoined"] === true ? decodeToBytes : decodeToPieces;
  return {
    measure: (request) => measureDecoding(wire, () => decode(wire.chunks), request, wireOptions),
  };
};

function decodeToPieces(chunks: readonly Uint8Array[]): Tally {
  const tally = { frames: 0, bytes: 0 };
  for (const frame of decodeIterable(chunks)) {
    tally.frames++;
    tally.bytes += frame.byteLength;
  }
  return tally;
}

function decodeToBytes(chunks: readonly Uint8Array[]): Tally {
  const tally = { frames: 0, bytes: 0 };
  for (const frame of decodeIterable(chunks)) {
    tally.frames++;
    tally.bytes += frame.subarray().length;
  }
  return tally;
}
