import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { Bell } from "./bell.ts";
import { closeEnd, countEnds, FLAG, openEnd, readFlags } from "./ends.ts";
import { AT, type RingMemory, readMemory } from "./memory.ts";
import { createMutex, type Mutex } from "./mutex.ts";
import { RingReader } from "./ring.ts";
import { ringError } from "./ring-error.ts";
import { checkMayBlock, LOOKS, pause } from "./sleep.ts";
import { type Patience, Wait } from "./wait.ts";

/** Options of {@link openReader}. */
export interface ReaderOptions {
  /** A writer that writes nothing for so long is given up, in ms; 0 is no limit. @default {60_000} */
  idleTimeoutMs?: number | undefined;
  /**
   * How long an empty ring waits for a writer that is not there, or is lost, in ms; 0 fails at once.
   * @default {10_000}
   */
  waitMs?: number | undefined;
  /** What happens, for a log. Called before the thread blocks. */
  onEvent?: ((event: ReaderEvent) => void) | undefined;
}

/** What a reader tells. */
export type ReaderEvent =
  /** There is no message and no writer; said once a wait. */
  { type: "waiting"; for: "writer" };

/** Defaults of options left out. */
export const READER_DEFAULTS = { idleTimeoutMs: 60_000, waitMs: DEFAULT_WAIT_MS } as const;

/**
 * Opens the end of a ring that messages come out of, in the thread that reads. After a lost reader it goes on where
 * that one left off, beginning with the message that it had in hand.
 *
 * @param memory `ring.memory`, as it came by `workerData`.
 * @throws {TypeError} when it is no memory of a ring.
 * @throws {Error} `EBUSY` when as many read as the ring is for · `EPIPE` when it is closed · `ERR_MAIN_THREAD` when
 *   several read, which takes a mutex.
 */
export function openReader(memory: unknown, options: ReaderOptions = {}): Reader {
  return new Reader(readMemory(memory), options);
}

/** The end of a ring that messages come out of. */
export class Reader implements Iterable<Uint8Array>, AsyncIterable<Uint8Array> {
  readonly #memory: RingMemory;
  readonly #ring: RingReader;
  readonly #lock: Mutex | undefined;
  /** Where several read, a message is copied out: others go on writing over it. */
  readonly #copy: Uint8Array;
  readonly #room: Bell;
  readonly #slot: number;
  readonly #patience: Patience;
  #hasTaken = false;
  #isClosed = false;
  #error: unknown;

  /** See {@link openReader}. */
  constructor(memory: RingMemory, options: ReaderOptions) {
    const { idleTimeoutMs = READER_DEFAULTS.idleTimeoutMs, waitMs = READER_DEFAULTS.waitMs, onEvent } = options;
    checkDurations({ idleTimeoutMs, waitMs });
    if (memory.readers > 1) checkMayBlock();
    this.#memory = memory;
    const onAlone = () => tell(onEvent, { type: "waiting", for: "writer" });
    this.#patience = { silenceMs: idleTimeoutMs, waitMs, onAlone };
    this.#lock = memory.readers > 1 ? createMutex(memory.words, AT.readLock) : undefined;
    this.#copy = new Uint8Array(this.#lock ? memory.maxMessageBytes : 0);
    this.#room = new Bell(memory.words, AT.roomBell);
    this.#slot = openEnd(memory, "reader");
    this.#ring = new RingReader(memory);
  }

  /**
   * The next message; blocks this thread while there is none. It lies in the ring, and is valid until the next one is
   * asked for: `slice()` what you keep. Asking for the next one says that this one is done with.
   *
   * @returns `undefined` when all writers have closed and everything is read.
   * @throws {Error} `ETIMEDOUT` nothing was written for `idleTimeoutMs` · `ENOTCONN`, `EOWNERDEAD` there was no writer
   *   for `waitMs`, or it is lost: try again or give up; `ERR_RING_CORRUPT` what is in the ring no writer of ours
   *   wrote: the reader is closed · `ECONNRESET` the ring was cut off · `EPIPE` this reader is closed ·
   *   `ERR_MAIN_THREAD`.
   */
  read(): Uint8Array | undefined {
    checkMayBlock();
    for (let looks = 0; looks < LOOKS; looks++) {
      const message = this.tryRead();
      if (message) return message;
      pause();
    }
    const wait = new Wait(this.#memory, "writer", this.#patience);
    for (;;) {
      // Asked before looking: what was written before the end is still found.
      const isOver = this.#isOver();
      const message = this.tryRead();
      if (message || isOver) return message;
      wait.block();
    }
  }

  /** The same for the main thread, which must not block. One at a time: `await` each. */
  async readAsync(): Promise<Uint8Array | undefined> {
    const first = this.tryRead();
    if (first) return first;
    const wait = new Wait(this.#memory, "writer", this.#patience);
    for (;;) {
      const isOver = this.#isOver();
      const message = this.tryRead();
      if (message || isOver) return message;
      await wait.blockAsync();
    }
  }

  /** The next message if there is one at this moment. Where several read it waits for its turn, not for a message. */
  tryRead(): Uint8Array | undefined {
    if (this.#isClosed) throw this.#error ?? ringError("EPIPE", "Cannot read message: the reader is closed");
    // A plain read, cheaper than Atomics.load: who cuts off at this moment comes before this message or behind it.
    if (((this.#memory.words[AT.flags] ?? 0) & FLAG.closed) !== 0) throw cutOff();
    // Outside: who waits for the lock in vain may try again.
    this.#lock?.lock(this.#patience.silenceMs);
    try {
      return this.#lock ? this.#takeInTurn(this.#lock) : this.#take();
    } catch (error) {
      this.#error = error;
      this.close();
      throw error;
    }
  }

  /** Not a generator: that would take a third of the time of a small message. */
  [Symbol.iterator](): Iterator<Uint8Array, undefined> {
    return { next: () => asResult(this.read()) };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let message = await this.readAsync(); message; message = await this.readAsync()) yield message;
  }

  /** Takes no more: from now on writers get `EPIPE`. May be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#hasTaken) this.#release();
    closeEnd(this.#memory, "reader", this.#slot);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #take(): Uint8Array | undefined {
    if (this.#hasTaken) this.#release();
    const message = this.#ring.take();
    this.#hasTaken = message !== undefined;
    return message;
  }

  #takeInTurn(lock: Mutex): Uint8Array | undefined {
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

  #release(): void {
    this.#hasTaken = false;
    this.#ring.release();
    // Woken for each message a writer would write one and sleep again; for half of the ring it is worth it.
    if (this.#ring.knownBytes <= this.#memory.ringBytes / 2) this.#room.ring();
  }

  #isOver(): boolean {
    const flags = readFlags(this.#memory);
    const isLeft = (flags & FLAG.closing) !== 0 && countEnds(this.#memory, "writer").open === 0;
    return isLeft || (flags & FLAG.writersClosed) !== 0;
  }
}

function cutOff(): Error {
  return ringError("ECONNRESET", "Cannot read message: the ring was cut off with messages in it");
}

function asResult(value: Uint8Array | undefined): IteratorResult<Uint8Array, undefined> {
  return value ? { value, done: false } : { value: undefined, done: true };
}
