import { checkDurations } from "@ipc/core/durations";
import { checkBytes } from "@ipc/core/framing";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { Bell } from "./bell.ts";
import { closeEnd, FLAG, openEnd, readFlags } from "./ends.ts";
import { AT, type RingMemory, readMemory } from "./memory.ts";
import { createMutex, type Mutex } from "./mutex.ts";
import { RingWriter } from "./ring.ts";
import { ringError } from "./ring-error.ts";
import { checkMayBlock, LOOKS, pause } from "./sleep.ts";
import { type Patience, Wait } from "./wait.ts";

/** Options of {@link openWriter}. */
export interface WriterOptions {
  /** How long the reader may take nothing while the ring is full, in ms; 0 is no limit. @default {5_000} */
  timeoutMs?: number | undefined;
  /**
   * How long a full ring waits for a reader that is not there, or is lost, in ms; 0 fails at once.
   * @default {10_000}
   */
  waitMs?: number | undefined;
  /** What happens, for a log. Called before the thread blocks. */
  onEvent?: ((event: WriterEvent) => void) | undefined;
}

/** What a writer tells. */
export type WriterEvent =
  /** There is no room: it waits. */
  | { type: "full" }
  /** There is no room and no reader; said once a wait. */
  | { type: "waiting"; for: "reader" }
  /** A thread died in the middle of a write. What it had not published does not exist: nothing is broken. */
  | { type: "recovered" };

/** Defaults of options left out. */
export const WRITER_DEFAULTS = { timeoutMs: 5_000, waitMs: DEFAULT_WAIT_MS } as const;

/**
 * Opens the end of a ring that messages go in, in the thread that writes.
 *
 * @param memory `ring.memory`, as it came by `workerData`.
 * @throws {TypeError} when it is no memory of a ring.
 * @throws {Error} `EBUSY` when as many write as the ring is for · `EPIPE` when it is closed · `ERR_MAIN_THREAD` when
 *   several write, which takes a mutex.
 */
export function openWriter(memory: unknown, options: WriterOptions = {}): Writer {
  return new Writer(readMemory(memory), options);
}

/** The end of a ring that messages go in. */
export class Writer {
  /** How often it waited for room. */
  waits = 0;
  /** For how long it waited for room, in ms. */
  waitedMs = 0;
  readonly #memory: RingMemory;
  readonly #ring: RingWriter;
  readonly #lock: Mutex | undefined;
  readonly #data: Bell;
  readonly #slot: number;
  readonly #patience: Patience;
  readonly #onEvent: WriterOptions["onEvent"];
  #isClosed = false;

  /** See {@link openWriter}. */
  constructor(memory: RingMemory, options: WriterOptions) {
    const { timeoutMs = WRITER_DEFAULTS.timeoutMs, waitMs = WRITER_DEFAULTS.waitMs, onEvent } = options;
    checkDurations({ timeoutMs, waitMs });
    if (memory.writers > 1) checkMayBlock();
    this.#memory = memory;
    const onAlone = () => tell(onEvent, { type: "waiting", for: "reader" });
    this.#patience = { silenceMs: timeoutMs, waitMs, onAlone };
    this.#onEvent = onEvent;
    this.#lock = memory.writers > 1 ? createMutex(memory.words, AT.writeLock) : undefined;
    this.#data = new Bell(memory.words, AT.dataBell);
    this.#slot = openEnd(memory, "writer");
    this.#ring = new RingWriter(memory);
  }

  /**
   * Writes a message; blocks this thread while there is no room. The reader sees it when this returns.
   *
   * @throws {RangeError} `EMSGSIZE`: nothing was written, others may be.
   * @throws {Error} `EPIPE` nobody will read it · `ETIMEDOUT` the reader took nothing for `timeoutMs` · `ENOTCONN`,
   *   `EOWNERDEAD` there was no reader for `waitMs`, or it is lost: try again or give up; `ERR_RING_CORRUPT` ·
   *   `ERR_MAIN_THREAD`. Nothing was written.
   */
  write(message: Uint8Array): void {
    checkMayBlock();
    for (let looks = 0; looks < LOOKS; looks++) {
      if (this.tryWrite(message)) return;
      pause();
    }
    const wait = this.#beginWait();
    while (!this.tryWrite(message)) wait.block();
    this.waitedMs += wait.tookMs;
  }

  /** The same for the main thread, which must not block. One at a time: `await` each. */
  async writeAsync(message: Uint8Array): Promise<void> {
    if (this.tryWrite(message)) return;
    const wait = this.#beginWait();
    while (!this.tryWrite(message)) await wait.blockAsync();
    this.waitedMs += wait.tookMs;
  }

  /** Writes a message if there is room at this moment; where several write, in its turn. Throws as `write()` does. */
  tryWrite(message: Uint8Array): boolean {
    checkBytes(message);
    const { maxMessageBytes, words } = this.#memory;
    if (message.length > maxMessageBytes) throw tooLarge(message.length, maxMessageBytes);
    // A plain read, cheaper than Atomics.load: who closes at this moment comes before this message or behind it.
    if (this.#isClosed || words[AT.flags] !== 0) throw this.#closedError();
    const isWritten = this.#lock ? this.#putInTurn(this.#lock, message) : this.#put(message);
    if (isWritten) this.#data.ring();
    // Who is about to sleep has said so before it looked: now the end must not be missed.
    else if (readFlags(this.#memory) !== 0) throw this.#closedError();
    return isWritten;
  }

  /** No more messages: what is in the ring is still read. May be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeEnd(this.#memory, "writer", this.#slot);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #put(message: Uint8Array): boolean {
    if (!this.#ring.put(message)) return false;
    this.#ring.publish();
    return true;
  }

  #putInTurn(lock: Mutex, message: Uint8Array): boolean {
    lock.lock(this.#patience.silenceMs);
    try {
      if (lock.wasAbandoned) tell(this.#onEvent, { type: "recovered" });
      this.#ring.sync();
      return this.#put(message);
    } finally {
      lock.unlock();
    }
  }

  #beginWait(): Wait {
    this.waits++;
    tell(this.#onEvent, { type: "full" });
    return new Wait(this.#memory, "reader", this.#patience);
  }

  #closedError(): Error {
    const isUnread = (readFlags(this.#memory) & FLAG.readersClosed) !== 0;
    const why = this.#isClosed ? "the writer is closed" : isUnread ? "the reader is closed" : "the ring is closed";
    return ringError("EPIPE", `Cannot write message: ${why}`);
  }
}

function tooLarge(messageBytes: number, maxMessageBytes: number): Error {
  const text = `Cannot write message of ${messageBytes} bytes: limit is ${maxMessageBytes}`;
  return ringError("EMSGSIZE", text, RangeError, { messageBytes, maxMessageBytes });
}
