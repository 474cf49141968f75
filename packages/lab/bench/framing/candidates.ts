/**
 * All decoders behind one face: chunks in, frames out, as `for await` reads them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { pipeline, type Readable, type Transform } from "node:stream";
import { encodeFrame, type Framing, lengthFraming, lineFraming } from "@ipc/core/framing";
import { decodeIterable, encodeVarint, streamPeers } from "./peers.ts";

/** One decoder as its README shows it. */
export interface Candidate {
  name: string;
  /** One frame in its format. */
  encode(message: Uint8Array): Uint8Array;
  /** The frames that come out of a source of chunks. A stream is joined to it by `pipeline`, so that errors pass. */
  decode(source: Readable): AsyncIterable<Uint8Array>;
  /** The start of a frame of 2 GiB; `undefined` where nothing is announced (lines). */
  hugeHeader: Uint8Array | undefined;
}

/** A length of 0x7fffffff, as each writes it. */
const hugeHeaders: Readonly<Record<string, Uint8Array>> = {
  "frame-stream": Buffer.of(0x7f, 0xff, 0xff, 0xff),
  "length-prefixed-stream": Buffer.of(0xff, 0xff, 0xff, 0xff, 0x07),
  "length-prefix-framed-stream": Buffer.of(0xfe, 0xff, 0xff, 0xff, 0x7f),
  "it-length-prefixed": Buffer.of(0xff, 0xff, 0xff, 0xff, 0x07),
  // MessagePack's "bin 32".
  msgpackr: Buffer.of(0xc6, 0x7f, 0xff, 0xff, 0xff),
};

/** Ours, then the peers; where frames as objects are an option, with and without it. */
export const candidates: readonly Candidate[] = [
  ours("ours, length", lengthFraming, Buffer.of(0x7f, 0xff, 0xff, 0xff)),
  ours("ours, lines", lineFraming, undefined),
  {
    name: "it-length-prefixed",
    encode: encodeVarint,
    decode: decodeList,
    hugeHeader: hugeHeaders["it-length-prefixed"],
  },
  ...Object.entries(streamPeers).flatMap(([name, { encode, createStream, createObjectStream }]) => {
    const hugeHeader = hugeHeaders[name];
    const plain = { name, encode, decode: through(createStream), hugeHeader };
    if (!createObjectStream) return [plain];
    return [plain, { ...plain, name: `${name} *`, decode: through(createObjectStream) }];
  }),
];

function ours(name: string, framing: Framing, hugeHeader: Uint8Array | undefined): Candidate {
  return {
    name,
    encode: (message) => encodeFrame(framing, message, { maxFrameBytes: Math.max(1, message.length) }),
    async *decode(source) {
      const decoder = framing.createDecoder();
      for await (const chunk of source) yield* decoder.decode(chunk);
      decoder.end();
    },
    hugeHeader,
  };
}

async function* decodeList(source: Readable): AsyncGenerator<Uint8Array> {
  for await (const frame of decodeIterable<ArrayBufferLike>(source as AsyncIterable<Uint8Array>)) {
    yield frame.subarray();
  }
}

function through(createStream: () => Transform) {
  return async function* (source: Readable): AsyncGenerator<Uint8Array> {
    const stream = createStream();
    // What goes wrong is thrown by the loop below.
    pipeline(source, stream, () => {});
    for await (const frame of stream) yield typeof frame === "string" ? Buffer.from(frame) : frame;
  };
}
