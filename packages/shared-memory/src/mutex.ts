import { threadId } from "node:worker_threads";
import { ringError } from "./ring-error.ts";
import { checkMayBlock, sleepWhile } from "./sleep.ts";

/*
 * One word, as the robust futexes of Linux (futex(2), set_robust_list(2)): 0 is free, else the thread that holds it;
 * one bit says that others wait, one that its holder has died.
 */

const HOLDER = 0x1fff_ffff;
const WAITERS = 0x2000_0000;
const HOLDER_DIED = 0x4000_0000;

/** How this thread signs what is its own: its id and 1, so that 0 is nobody. */
export const ME: number = threadId + 1;

/**
 * A mutex in memory that threads share; each makes its own over the same word.
 *
 * @param words Zero there at first.
 * @param at Its word.
 * @example
 * ```ts
 * import { createMutex } from "../src/index.ts";
 *
 * const words = new Int32Array(new SharedArrayBuffer(4));
 * const mutex = createMutex(words, 0);
 * console.log(mutex.tryLock(), mutex.tryLock());
 * mutex.unlock();
 * console.log(mutex.tryLock());
 * ```
 * ```text
 * true false
 * true
 * ```
 */
export function createMutex(words: Int32Array, at: number): Mutex {
  return new Mutex(words, at);
}

/** One thread at a time. For what is short: a copy into memory, not a wait. */
export class Mutex {
  /** Whether the last holder died with it, as the last lock found: what it guards may be half done. */
  wasAbandoned = false;
  readonly #words: Int32Array;
  readonly #at: number;

  /** See {@link createMutex}. */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Takes it if it is free. */
  tryLock(): boolean {
    return this.#take(Atomics.load(this.#words, this.#at), 0);
  }

  /**
   * Takes it; waits for the thread that holds it.
   *
   * @param timeoutMs 0 is no limit.
   * @throws {Error} `ETIMEDOUT` · `ERR_MAIN_THREAD` on the main thread: use `tryLock()`.
   */
  lock(timeoutMs = 0): void {
    if (this.tryLock()) return;
    checkMayBlock();
    const deadline = timeoutMs > 0 ? performance.now() + timeoutMs : Number.POSITIVE_INFINITY;
    for (;;) {
      const seen = Atomics.load(this.#words, this.#at);
      // With the bit: others may wait as well; at worst one wake-up is for nobody.
      if (this.#take(seen, WAITERS)) return;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw heldTooLong(seen & HOLDER, timeoutMs);
      const waited = seen | WAITERS;
      if (Atomics.compareExchange(this.#words, this.#at, seen, waited) !== seen) continue;
      if ((waited & HOLDER) !== 0) sleepWhile(this.#words, this.#at, waited, leftMs);
    }
  }

  /** Gives it back, and wakes one that waits. @throws {Error} `EPERM` when this thread does not hold it. */
  unlock(): void {
    const seen = Atomics.load(this.#words, this.#at);
    if ((seen & HOLDER) !== ME) throw ringError("EPERM", "Cannot unlock mutex: this thread does not hold it");
    if ((Atomics.exchange(this.#words, this.#at, 0) & WAITERS) !== 0) Atomics.notify(this.#words, this.#at, 1);
  }

  /**
   * To be called by who sees a thread end: what it held goes to the next, and a wake-up that died with it is repeated.
   */
  markDead(holder: number): void {
    for (;;) {
      const seen = Atomics.load(this.#words, this.#at);
      if ((seen & HOLDER) !== holder) break;
      if (Atomics.compareExchange(this.#words, this.#at, seen, HOLDER_DIED) === seen) break;
    }
    // Also when it held nothing: unlock() may have woken just this thread, and no other would be woken then.
    Atomics.notify(this.#words, this.#at);
  }

  #take(seen: number, waiters: number): boolean {
    if ((seen & HOLDER) !== 0) return false;
    const mine = ME | waiters | (seen & WAITERS);
    if (Atomics.compareExchange(this.#words, this.#at, seen, mine) !== seen) return false;
    this.wasAbandoned = (seen & HOLDER_DIED) !== 0;
    return true;
  }
}

function heldTooLong(holder: number, timeoutMs: number): Error {
  const text = `Cannot lock mutex: thread ${holder - 1} has held it for more than ${timeoutMs} ms`;
  return ringError("ETIMEDOUT", text, Error, { threadId: holder - 1 });
}
