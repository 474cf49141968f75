/**
 * The packages that do the same, each with its own wire format.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Transform } from "node:stream";
import * as frameStream from "frame-stream";
import { decode, encode } from "it-length-prefixed";
import { Decode, encodeLength } from "length-prefix-framed-stream";
import lengthPrefixedStream from "length-prefixed-stream";
import { pack, UnpackrStream } from "msgpackr";
import split2 from "split2";

/** A decoder that is a stream: chunks are written, frames are its `data`. */
export interface StreamPeer {
  /** One message as a frame in the format of this peer. */
  encode(message: Uint8Array): Uint8Array;
  /** As its README shows it. */
  createStream(): Transform;
  /** With frames as objects, so that the stream does not glue them; missing where that is how it always is. */
  createObjectStream?(): Transform;
}

/** Options of the `Transform` underneath; the types of frame-stream leave them out. */
const OBJECT_MODE = { readableObjectMode: true };

/** The peers that are streams, by their names on npm. */
export const streamPeers: Readonly<Record<string, StreamPeer>> = {
  "frame-stream": {
    encode(message) {
      const header = Buffer.alloc(4);
      header.writeUInt32BE(message.length);
      return Buffer.concat([header, message]);
    },
    createStream: () => frameStream.decode(),
    createObjectStream: () => new frameStream.Decoder({ lengthSize: 4, ...OBJECT_MODE }),
  },
  "length-prefixed-stream": {
    encode: encodeVarint,
    createStream: () => lengthPrefixedStream.decode(),
    createObjectStream: () => lengthPrefixedStream.decode({ allowEmpty: true }),
  },
  "length-prefix-framed-stream": {
    encode: (message) => Buffer.concat([encodeLength(message.length), message]),
    createStream: () => new Decode(),
    createObjectStream: () => new Decode(OBJECT_MODE),
  },
  msgpackr: {
    encode: (message) => pack(Buffer.from(message)),
    createStream: () => new UnpackrStream(),
  },
  split2: {
    encode: (message) => Buffer.concat([message, Buffer.of(0x0a)]),
    createStream: () => split2("\n"),
  },
};

/** A message as `it-length-prefixed` and `length-prefixed-stream` frame it: a varint in front. */
export function encodeVarint(message: Uint8Array): Uint8Array {
  return encode.single(message, { maxDataLength: message.length }).subarray();
}

/** The decoder of `it-length-prefixed`: a generator. */
export const decodeIterable = decode;
