/// <reference lib="es2024.sharedmemory" />
import { checkBytes } from "@ipc/core/framing";
import { tell } from "@ipc/core/tell";
import { ringError } from "./ring-error.ts";
import { createSemaphore } from "./semaphore.ts";

/*
 * The unbounded buffer of the textbooks: an array without an end and one counting semaphore. The producer never waits,
 * the consumer waits while there is nothing. The memory grows with all that was ever written, and "without an end" ends
 * where memory does. It is here to be looked at beside the ring; do not use it.
 */

/** Defaults of options left out. */
export const UNBOUNDED_DEFAULTS = { maxBytes: 67_108_864 } as const;

/** Words: how many messages wait, and whether the writer has closed. */
const ITEMS = 0;
const CLOSED = 1;
const FIRST_BYTE = 128;
const FIRST_BYTES = 1_048_576;

/**
 * Makes the memory of a buffer that doubles whenever it is full.
 *
 * @param options.maxBytes Where it ends after all. @default {67_108_864}
 */
export function createUnbounded(options: { maxBytes?: number | undefined } = {}): SharedArrayBuffer {
  const { maxBytes = UNBOUNDED_DEFAULTS.maxBytes } = options;
  return new SharedArrayBuffer(Math.min(FIRST_BYTES, maxBytes), { maxByteLength: maxBytes });
}

/** Where messages go in; one thread. */
export interface UnboundedWriter {
  /** Adds a message; never waits. @throws {RangeError} `ENOBUFS` at `maxBytes`. */
  write(message: Uint8Array): void;
  /** No more messages. */
  close(): void;
}

/** Options of {@link openUnboundedWriter}. */
export interface UnboundedWriterOptions {
  /** Called when the buffer has grown, with its new size. */
  onEvent?: ((event: { type: "grown"; heldBytes: number }) => void) | undefined;
}

/** Opens the end that messages go in. */
export function openUnboundedWriter(memory: SharedArrayBuffer, options: UnboundedWriterOptions = {}): UnboundedWriter {
  const words = new Int32Array(memory);
  const bytes = new Uint8Array(memory);
  const items = createSemaphore(words, ITEMS);
  let at = FIRST_BYTE;
  return {
    write(message) {
      checkBytes(message);
      const end = at + ((message.length + 7) & ~3);
      if (end > memory.byteLength) grow(memory, end, options);
      words[at >> 2] = message.length;
      bytes.set(message, at + 4);
      at = end;
      items.release();
    },
    close() {
      Atomics.store(words, CLOSED, 1);
      items.release();
    },
  };
}

function grow(memory: SharedArrayBuffer, end: number, { onEvent }: UnboundedWriterOptions): void {
  if (end > memory.maxByteLength) {
    const text = `Cannot write message: the limit of ${memory.byteLength} bytes is reached`;
    throw ringError("ENOBUFS", text, RangeError, { heldBytes: memory.byteLength });
  }
  memory.grow(Math.min(Math.max(memory.byteLength * 2, end), memory.maxByteLength));
  tell(onEvent, { type: "grown", heldBytes: memory.byteLength });
}

/** Where messages come out; one thread. */
export interface UnboundedReader {
  /** The next message; blocks the thread while there is none. `undefined` when the writer has closed. */
  read(timeoutMs?: number): Uint8Array | undefined;
}

/** Opens the end that messages come out of. */
export function openUnboundedReader(memory: SharedArrayBuffer): UnboundedReader {
  const words = new Int32Array(memory);
  const items = createSemaphore(words, ITEMS);
  let at = FIRST_BYTE;
  return {
    read(timeoutMs) {
      items.acquire(timeoutMs);
      // The one that close() released stays for the next read().
      if (Atomics.load(words, CLOSED) === 1 && items.count === 0) return items.release() as undefined;
      const length = words[at >> 2] ?? 0;
      const start = at + 4;
      at += (length + 7) & ~3;
      return new Uint8Array(memory, start, length);
    },
  };
}
