/**
 * Messages into a socket: what one turn of the event loop produced goes out in one piece, with backpressure.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { prematureClose } from "./closed-error.ts";
import { checkBytes, checkLimit } from "./framing/limits.ts";
import type { Framing } from "./framing.ts";

/** Sends messages as frames. */
export interface FrameWriter {
  /**
   * Queues a message for the end of this turn of the event loop. Its bytes must not change until they are sent.
   *
   * @param isAlone Nothing follows it in this turn: it is sent at once, with what is queued before it.
   * @returns Whether more may follow at once; else await `drained()` first.
   * @throws {FrameError} when the message is above the limit or cannot be framed; nothing is sent of it.
   * @throws {Error} `EPIPE` when the connection is closed.
   */
  write(message: Uint8Array, isAlone?: boolean): boolean;
  /**
   * Sends what is queued and resolves when the socket takes more.
   * @throws what the connection closed with, so that nobody waits for a peer that is gone.
   */
  drained(): Promise<void>;
  /** Bytes that wait for the end of this turn. */
  readonly queuedBytes: number;
}

/** What bounds the writing to one connection. */
export interface WriteOptions {
  /** The longest message in bytes; 1 to 2^32 - 1. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /** How many bytes may wait to be sent before `write()` says no. @default {262_144} */
  highWaterBytes?: number | undefined;
}

/** 256 KiB: four chunks as they come from a socket, so that a batch of replies is not cut. */
const HIGH_WATER_BYTES = 262_144;

/** 512: a turn with more messages sends the first of them while the rest is made, so that both sides are at work. */
const EAGER_MESSAGES = 512;

/** 8 KiB: from here on copying a message costs more than handing it to the system as a piece of its own. */
const BY_REFERENCE_BYTES = 8_192;

/**
 * Writes messages to a socket. What one turn of the event loop produced goes out in one write, headers and small
 * messages in one piece, long messages by reference: on a loopback socket that is 8 times as fast as a write a message,
 * and a header sent apart from its body would wait 40 ms for the peer's delayed ACK (RFC 1122 section 4.2.3.2).
 *
 * @example
 * ```ts
 * import { PassThrough } from "node:stream";
 * import { lengthFraming } from "@ipc/core/framing";
 * import { createFrameWriter } from "@ipc/core/write-frames";
 *
 * const stream = new PassThrough();
 * const writer = createFrameWriter(stream, lengthFraming);
 * writer.write(Uint8Array.of(1));
 * writer.write(Uint8Array.of(2));
 * await writer.drained();
 * console.log(stream.read());
 * ```
 * ```text
 * <Buffer 00 00 00 01 01 00 00 00 01 02>
 * ```
 */
export function createFrameWriter(socket: Duplex, framing: Framing, options: WriteOptions = {}): FrameWriter {
  return new TurnWriter(socket, framing, options);
}

class TurnWriter implements FrameWriter {
  readonly #socket: Duplex;
  readonly #framing: Framing;
  readonly #maxFrameBytes: number;
  readonly #highWaterBytes: number;
  #queue: Uint8Array[] = [];
  #queueBytes = 0;

  get queuedBytes() {
    return this.#queueBytes;
  }

  constructor(socket: Duplex, framing: Framing, options: WriteOptions) {
    this.#socket = socket;
    this.#framing = framing;
    this.#maxFrameBytes = checkLimit(options);
    this.#highWaterBytes = options.highWaterBytes ?? HIGH_WATER_BYTES;
  }

  write(message: Uint8Array, isAlone = false): boolean {
    checkBytes(message);
    this.#framing.check(message, this.#maxFrameBytes);
    if (!this.#socket.writable) throw closedError();
    this.#queueBytes += this.#framing.headerBytes + message.length + this.#framing.trailerBytes;
    const queued = this.#queue.push(message);
    if (isAlone || queued === EAGER_MESSAGES) this.flush();
    // nextTick runs after the promise callbacks of this turn: whatever they write is in the same piece.
    else if (queued === 1) process.nextTick(flush, this);
    return this.#queueBytes + this.#socket.writableLength < this.#highWaterBytes;
  }

  flush() {
    const messages = this.#queue;
    if (messages.length === 0) return;
    this.#queue = [];
    this.#queueBytes = 0;
    if (this.#socket.writable) writeAll(this.#socket, this.#framing, messages);
  }

  drained(): Promise<void> {
    this.flush();
    const socket = this.#socket;
    if (!socket.writableNeedDrain && !socket.destroyed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      function settle() {
        socket.off("drain", settle).off("close", settle);
        if (socket.destroyed) reject(socket.errored ?? prematureClose("write"));
        else resolve();
      }
      if (socket.closed) return settle();
      socket.on("drain", settle).on("close", settle);
    });
  }
}

function flush(writer: TurnWriter) {
  writer.flush();
}

// No function inside these: under tsx each would be named anew at every call, which costs more than a small message.

function writeAll(socket: Duplex, framing: Framing, messages: readonly Uint8Array[]) {
  let blockBytes = messages.length * (framing.headerBytes + framing.trailerBytes);
  let hasLong = false;
  for (const { length } of messages) {
    if (length < BY_REFERENCE_BYTES) blockBytes += length;
    else hasLong = true;
  }
  if (hasLong) return writePieces(socket, framing, messages, Buffer.allocUnsafe(blockBytes));
  const block = takeBlock(socket, blockBytes);
  let offset = 0;
  for (const message of messages) offset = copyFrame(framing, message, block, offset);
  socket.write(block);
  if (block.buffer === spare?.buffer && socket.writableLength > 0) spare = undefined;
}

/**
 * Memory for one write at a time: fresh memory for each would keep the garbage collector busier than the rest. A socket
 * that has passed all of it to the system when `write()` returns does not look at it again; one that has not keeps it,
 * and the next write gets another.
 */
let spare: Buffer | undefined;

function takeBlock(socket: Duplex, bytes: number): Buffer {
  // Other streams hand the memory on as it is; below this the pool of Buffer is as quick.
  const isTakenAtOnce = socket instanceof Socket && !socket.connecting && socket.writableLength === 0;
  if (!isTakenAtOnce || bytes < SPARE_FROM_BYTES || bytes > SPARE_BYTES) return Buffer.allocUnsafe(bytes);
  spare ??= Buffer.allocUnsafeSlow(SPARE_BYTES);
  return spare.subarray(0, bytes);
}

const SPARE_FROM_BYTES = 4_096;
/** What a writer holds at most before it asks its caller to wait. */
const SPARE_BYTES = HIGH_WATER_BYTES;

/** Headers and short messages from `block`, long messages from where they are; all in one system call (writev). */
function writePieces(socket: Duplex, framing: Framing, messages: readonly Uint8Array[], block: Buffer) {
  let sent = 0;
  let offset = 0;
  socket.cork();
  for (const message of messages) {
    if (message.length < BY_REFERENCE_BYTES) {
      offset = copyFrame(framing, message, block, offset);
      continue;
    }
    offset = framing.writeHeader(block, offset, message.length);
    if (offset > sent) socket.write(block.subarray(sent, offset));
    sent = offset;
    socket.write(message);
    offset = framing.writeTrailer(block, offset);
  }
  if (offset > sent) socket.write(block.subarray(sent, offset));
  socket.uncork();
}

function copyFrame(framing: Framing, message: Uint8Array, block: Buffer, start: number): number {
  const offset = framing.writeHeader(block, start, message.length);
  block.set(message, offset);
  return framing.writeTrailer(block, offset + message.length);
}

function closedError(): Error {
  return Object.assign(new Error("Cannot send message: the connection is closed"), { code: "EPIPE" });
}
