import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { Bell } from "./bell.ts";
import { closeEnd, countEnds, FLAG, openEnd, readFlags } from "./ends.ts";
import { AT, type RingMemory, readMemory } from "./memory.ts";
import { createMutex, type Mutex } from "./mutex.ts";
import { Patience } from "./patience.ts";
import { RingReader } from "./ring.ts";
import { ringError } from "./ring-error.ts";
import { checkMayBlock, LOOKS } from "./wait.ts";

/** Options of {@link openReader}. */
export interface ReaderOptions {
  /** A writer that writes nothing for so long is given up, in ms; 0 is no limit. @default {60_000} */
  idleTimeoutMs?: number | undefined;
  /** How long an empty ring waits for a writer that is not there, or is lost, in ms; 0 fails at once. @default {10_000} */
  waitMs?: number | undefined;
  /** What happens, for a log. Called before the thread blocks. */
  onEvent?: ((event: ReaderEvent) => void) | undefined;
}

/** What a reader tells. */
export type ReaderEvent =
  /** There is no message and no writer; said once a wait. */
  { type: "waiting"; for: "writer" };

/** The end of a ring that messages come out of. */
export interface Reader extends Iterable<Uint8Array>, AsyncIterable<Uint8Array> {
  /**
   * The next message; blocks this thread while there is none. It lies in the ring, and is valid until the next one is
   * asked for: `slice()` what you keep. Asking for the next one says that this one is done with.
   *
   * @returns `undefined` when all writers have closed and everything is read.
   * @throws {Error} `ETIMEDOUT` nothing was written for `idleTimeoutMs` · `ENOTCONN`, `EOWNERDEAD` there was no writer for
   *   `waitMs`, or it is lost: try again or give up; `ERR_RING_CORRUPT` what is in the ring no writer of ours wrote: the
   *   reader is closed · `ECONNRESET` the ring was cut off · `EPIPE` this reader is closed · `ERR_MAIN_THREAD`.
   */
  read(): Uint8Array | undefined;
  /** The same for the main thread, which must not block. One at a time: `await` each. */
  readAsync(): Promise<Uint8Array | undefined>;
  /** The next message if there is one at this moment. */
  tryRead(): Uint8Array | undefined;
  /** Takes no more: from now on writers get `EPIPE`. May be called again. */
  close(): void;
  [Symbol.dispose](): void;
}

/** Defaults of options left out. */
export const READER_DEFAULTS = { idleTimeoutMs: 60_000, waitMs: DEFAULT_WAIT_MS } as const;

/**
 * Opens the end of a ring that messages come out of, in the thread that reads. After a lost reader it goes on where that
 * one left off, beginning with the message that it had in hand.
 *
 * @param memory `ring.memory`, as it came by `workerData`.
 * @throws {TypeError} when it is no memory of a ring.
 * @throws {Error} `EBUSY` when as many read as the ring is for · `EPIPE` when it is closed · `ERR_MAIN_THREAD` when several
 *   read, which takes a mutex.
 */
export function openReader(memory: unknown, options: ReaderOptions = {}): Reader {
  return new EndReader(readMemory(memory), options);
}

class EndReader implements Reader {
  readonly #memory: RingMemory;
  readonly #ring: RingReader;
  readonly #lock: Mutex | undefined;
  /** Where several read, a message is copied out: others go on writing over it. */
  readonly #copy: Uint8Array;
  readonly #room: Bell;
  readonly #data: Bell;
  readonly #slot: number;
  readonly #limits: { silenceMs: number; waitMs: number };
  readonly #onEvent: ReaderOptions["onEvent"];
  #hasTaken = false;
  #isOver = false;
  #isClosed = false;
  #error: unknown;

  constructor(memory: RingMemory, options: ReaderOptions) {
    const { idleTimeoutMs = READER_DEFAULTS.idleTimeoutMs, waitMs = READER_DEFAULTS.waitMs, onEvent } = options;
    checkDurations({ idleTimeoutMs, waitMs });
    if (memory.readers > 1) checkMayBlock();
    this.#memory = memory;
    this.#limits = { silenceMs: idleTimeoutMs, waitMs };
    this.#onEvent = onEvent;
    this.#lock = memory.readers > 1 ? createMutex(memory.words, AT.readLock) : undefined;
    this.#copy = new Uint8Array(this.#lock ? memory.maxMessageBytes : 0);
    this.#room = new Bell(memory.words, AT.roomBell);
    this.#data = new Bell(memory.words, AT.dataBell);
    this.#slot = openEnd(memory, "reader");
    this.#ring = new RingReader(memory);
  }

  tryRead(): Uint8Array | undefined {
    if (this.#isClosed) throw this.#error ?? ringError("EPIPE", "Cannot read message: the reader is closed");
    if ((readFlags(this.#memory) & FLAG.closed) !== 0) throw cutOff();
    try {
      return this.#lock ? this.#takeInTurn(this.#lock) : this.#take();
    } catch (error) {
      this.#error = error;
      this.close();
      throw error;
    }
  }

  #take(): Uint8Array | undefined {
    if (this.#hasTaken) this.#release();
    const message = this.#ring.take();
    this.#hasTaken = message !== undefined;
    return message;
  }

  #release(): void {
    this.#hasTaken = false;
    this.#ring.release();
    // Woken for each message it would write one and sleep again; for a quarter of the ring it is worth it.
    if (this.#room.isHeard && this.#ring.usedBytes <= this.#memory.ringBytes * 0.75) this.#room.ring();
  }

  #takeInTurn(lock: Mutex): Uint8Array | undefined {
    lock.lock(this.#limits.silenceMs);
    try {
      this.#ring.sync();
      const message = this.#ring.take();
      if (!message) return undefined;
      const copy = this.#copy.subarray(0, message.length);
      copy.set(message);
      this.#release();
      return copy;
    } finally {
      lock.unlock();
    }
  }

  read(): Uint8Array | undefined {
    checkMayBlock();
    for (let looks = 0; looks < LOOKS; looks++) {
      const message = this.tryRead();
      if (message) return message;
    }
    const patience = new Patience(this.#memory, "writer", this.#limits);
    for (;;) {
      const heard = this.#data.listen();
      const message = this.#lastLook();
      if (message || this.#isOver) return message;
      this.#data.sleep(heard, this.#leftMs(patience));
    }
  }

  async readAsync(): Promise<Uint8Array | undefined> {
    const first = this.tryRead();
    if (first) return first;
    const patience = new Patience(this.#memory, "writer", this.#limits);
    for (;;) {
      const heard = this.#data.listen();
      const message = this.#lastLook();
      if (message || this.#isOver) return message;
      await this.#data.sleepAsync(heard, this.#leftMs(patience));
    }
  }

  /** Whether there will be no more is asked first: a message that was written before that is still found. */
  #lastLook(): Uint8Array | undefined {
    const flags = readFlags(this.#memory);
    const isLeft = (flags & FLAG.closing) !== 0 && countEnds(this.#memory, "writer").open === 0;
    const isOver = isLeft || (flags & FLAG.writersClosed) !== 0;
    const message = this.tryRead();
    this.#isOver = isOver && !message;
    return message;
  }

  #leftMs(patience: Patience): number {
    const wasAlone = patience.isAlone;
    const leftMs = patience.leftMs(Atomics.load(this.#memory.words, AT.tail));
    if (patience.isAlone && !wasAlone) tell(this.#onEvent, { type: "waiting", for: "writer" });
    return leftMs;
  }

  /** Not a generator: that would take a third of the time of a small message. */
  [Symbol.iterator](): Iterator<Uint8Array, undefined> {
    return { next: () => asResult(this.read()) };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let message = await this.readAsync(); message; message = await this.readAsync()) yield message;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#hasTaken) this.#release();
    closeEnd(this.#memory, "reader", this.#slot);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function cutOff(): Error {
  return ringError("ECONNRESET", "Cannot read message: the ring was cut off with messages in it");
}

function asResult(value: Uint8Array | undefined): IteratorResult<Uint8Array, undefined> {
  return value ? { value, done: false } : { value: undefined, done: true };
}
