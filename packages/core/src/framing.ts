/**
 * Message boundaries on a byte stream. TCP keeps the order of bytes and nothing else (RFC 9293 section 3.8): what was
 * written as one piece may arrive cut or glued. A {@link Framing} puts the boundaries back, without any I/O, so that
 * every cut can be tested byte by byte.
 *
 * @example Cut anywhere, whole again
 * ```ts
 * import { encodeFrame, lengthFraming } from "@ipc/core/framing";
 *
 * const wire = encodeFrame(lengthFraming, new TextEncoder().encode("Hello"));
 * const decoder = lengthFraming.createDecoder();
 * console.log(decoder.decode(wire.subarray(0, 6)).length);
 * console.log(new TextDecoder().decode(decoder.decode(wire.subarray(6))[0]));
 * ```
 * ```text
 * 0
 * Hello
 * ```
 * @module
 */
import { checkLength, frameError } from "./framing/errors.ts";
import { HEADER_BYTES, LengthDecoder } from "./framing/length-decoder.ts";
import { checkBytes, checkLimit } from "./framing/limits.ts";
import { LineDecoder, NEWLINE } from "./framing/line-decoder.ts";

export { checkBytes, DEFAULT_MAX_FRAME_BYTES } from "./framing/limits.ts";

/** What bounds a frame. */
export interface FrameOptions {
  /**
   * The longest message in bytes, without what the framing adds; 1 to 2^32 - 1. Never unlimited.
   * @default {1_048_576}
   */
  maxFrameBytes?: number | undefined;
}

/** Why a decoder is broken, or a message cannot be framed. */
export interface FrameError extends Error {
  /**
   * - `ERR_FRAME_TOO_LARGE` (RangeError): the message, or what the peer announced, is above the limit
   * - `ERR_FRAME_TRUNCATED` (Error): the stream ended inside a frame
   * - `ERR_FRAME_DELIMITER` (TypeError): a message for a line has a newline in it
   */
  code: "ERR_FRAME_TOO_LARGE" | "ERR_FRAME_TRUNCATED" | "ERR_FRAME_DELIMITER";
  /** The bytes of the frame, or of the part of it that had come. */
  frameBytes: number;
  /** The limit that was in force. */
  maxFrameBytes?: number;
}

/** Takes chunks as the network cuts them, gives whole messages. */
export interface FrameDecoder {
  /**
   * The messages that `chunk` completes, in order; often none. They are views into `chunk`: copy one that you keep for
   * long, or it keeps its chunk (64 KiB from a socket) alive.
   *
   * A fault behind whole messages does not swallow them: they are returned, `error` is set at once, and the next
   * `decode()` or `end()` throws it. A broken decoder stays broken.
   *
   * @throws {FrameError} when this chunk, or one before, breaks the framing.
   */
  decode(chunk: Uint8Array): Uint8Array[];
  /**
   * Tells the decoder that the stream has ended: clean between frames.
   * @throws {FrameError} `ERR_FRAME_TRUNCATED` inside a frame, or what broke the decoder before.
   */
  end(): void;
  /** Whether a frame has begun and is not whole yet. */
  readonly isInsideFrame: boolean;
  /** What broke the decoder, if anything did. */
  readonly error: FrameError | undefined;
}

/** One way to mark where a message ends. */
export interface Framing {
  /** The word for it in flags and logs. */
  readonly name: string;
  /** Bytes in front of every message. */
  readonly headerBytes: number;
  /** Bytes behind every message. */
  readonly trailerBytes: number;
  /** Writes the header of a message of `messageBytes` bytes at `offset`; returns the offset behind it. */
  writeHeader(target: Uint8Array, offset: number, messageBytes: number): number;
  /** Writes the trailer at `offset`; returns the offset behind it. */
  writeTrailer(target: Uint8Array, offset: number): number;
  /** Throws a {@link FrameError} when `message` cannot be sent as one frame. */
  check(message: Uint8Array, maxFrameBytes: number): void;
  /** A decoder for one stream. */
  createDecoder(options?: FrameOptions): FrameDecoder;
}

/**
 * A length in front: 4 bytes, unsigned, big-endian, then the message. Takes any bytes.
 *
 * @example
 * ```ts
 * import { encodeFrame, lengthFraming } from "@ipc/core/framing";
 *
 * console.log(encodeFrame(lengthFraming, Uint8Array.of(0x48, 0x69)));
 * ```
 * ```text
 * Uint8Array(6) [ 0, 0, 0, 2, 72, 105 ]
 * ```
 */
export const lengthFraming: Framing = {
  name: "length",
  headerBytes: HEADER_BYTES,
  trailerBytes: 0,
  writeHeader(target, offset, messageBytes) {
    target[offset] = messageBytes >>> 24;
    target[offset + 1] = messageBytes >>> 16;
    target[offset + 2] = messageBytes >>> 8;
    target[offset + 3] = messageBytes;
    return offset + 4;
  },
  writeTrailer: (_target, offset) => offset,
  check: checkLength,
  createDecoder: (options) => new LengthDecoder(checkLimit(options)),
};

/**
 * A newline (0x0A) behind: people can type it and read it. The message itself must have none. A carriage return is an
 * ordinary byte; whoever speaks text strips it.
 *
 * @example
 * ```ts
 * import { encodeFrame, lineFraming } from "@ipc/core/framing";
 *
 * console.log(encodeFrame(lineFraming, Uint8Array.of(0x48, 0x69)));
 * ```
 * ```text
 * Uint8Array(3) [ 72, 105, 10 ]
 * ```
 */
export const lineFraming: Framing = {
  name: "lines",
  headerBytes: 0,
  trailerBytes: 1,
  writeHeader: (_target, offset) => offset,
  writeTrailer(target, offset) {
    target[offset] = NEWLINE;
    return offset + 1;
  },
  check(message, maxFrameBytes) {
    checkLength(message, maxFrameBytes);
    const position = message.indexOf(NEWLINE);
    if (position === -1) return;
    const text = `Cannot send line of ${message.length} bytes: byte ${position} is a newline`;
    throw frameError(new TypeError(text), "ERR_FRAME_DELIMITER", message.length);
  },
  createDecoder: (options) => new LineDecoder(checkLimit(options)),
};

/** One message as it goes over the wire, in one piece; for tests and single messages (`@ipc/core/sockets` writes many). */
export function encodeFrame(framing: Framing, message: Uint8Array, options: FrameOptions = {}): Uint8Array {
  checkBytes(message);
  framing.check(message, checkLimit(options));
  const wire = new Uint8Array(framing.headerBytes + message.length + framing.trailerBytes);
  const start = framing.writeHeader(wire, 0, message.length);
  wire.set(message, start);
  framing.writeTrailer(wire, start + message.length);
  return wire;
}
