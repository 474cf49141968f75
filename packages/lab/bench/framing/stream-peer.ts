/**
 * A peer that is a stream, driven as fast as it goes: `write` as far as backpressure lets it, a `data` listener.
 *
 * @module
 */
import type { Transform } from "node:stream";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { streamPeers } from "./peers.ts";
import { buildWire, measureDecoding, parseWireOptions, type Tally } from "./wire.ts";

/** `peer`: its name in `peers.ts`; `isAwaited`: read by `for await`, as most programs do. */
export const setup: VariantSetup = (options) => {
  const peer = streamPeers[String(options["peer"])];
  if (!peer) throw new RangeError(`Cannot measure peer: current value is ${options["peer"]}`);
  const wireOptions = parseWireOptions(options);
  const wire = buildWire(peer.encode, wireOptions);
  // Frames as objects are the faster of its two ways, or as fast, and the one that keeps empty frames.
  const createStream = peer.createObjectStream ?? peer.createStream;
  const run = options["isAwaited"] === true ? feedAndAwait : feed;
  return {
    measure: (request) => measureDecoding(wire, () => run(createStream(), wire.chunks), request, wireOptions),
  };
};

function feed(stream: Transform, chunks: readonly Uint8Array[]): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const tally = { frames: 0, bytes: 0 };
    stream.on("data", (frame: Uint8Array | string) => {
      tally.frames++;
      tally.bytes += frame.length;
    });
    stream.on("end", () => resolve(tally));
    stream.on("error", reject);
    writeAll(stream, chunks);
  });
}

async function feedAndAwait(stream: Transform, chunks: readonly Uint8Array[]): Promise<Tally> {
  const tally = { frames: 0, bytes: 0 };
  writeAll(stream, chunks);
  for await (const frame of stream) {
    tally.frames++;
    tally.bytes += frame.length;
  }
  return tally;
}

/** By a callback, not `await once(stream, "drain")`: no promise a chunk is put on its bill. */
function writeAll(stream: Transform, chunks: readonly Uint8Array[]) {
  let next = 0;
  function write() {
    while (next < chunks.length) {
      if (!stream.write(chunks[next++])) return stream.once("drain", write);
    }
    return stream.end();
  }
  write();
}
