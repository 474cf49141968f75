import { ringError } from "./ring-error.ts";
import { checkMayBlock, sleepWhile, sleepWhileAsync } from "./sleep.ts";

/**
 * A semaphore in memory that threads share; each makes its own over the same word.
 *
 * @param words Holds the count to begin with.
 * @param at Its word.
 * @example
 * ```ts
 * import { createSemaphore } from "../src/index.ts";
 *
 * const words = new Int32Array(new SharedArrayBuffer(4));
 * const semaphore = createSemaphore(words, 0);
 * semaphore.release(2);
 * console.log(semaphore.tryAcquire(), semaphore.tryAcquire(), semaphore.tryAcquire());
 * ```
 * ```text
 * true true false
 * ```
 */
export function createSemaphore(words: Int32Array, at: number): Semaphore {
  return new Semaphore(words, at);
}

/** A counting semaphore (Dijkstra's P and V): so many may pass, the next waits until somebody lets it. */
export class Semaphore {
  readonly #words: Int32Array;
  readonly #at: number;

  /** See {@link createSemaphore}. */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** How many may pass at this moment. */
  get count(): number {
    return Atomics.load(this.#words, this.#at);
  }

  /** Takes one if there is one. */
  tryAcquire(): boolean {
    for (let seen = this.count; seen > 0; seen = this.count) {
      if (Atomics.compareExchange(this.#words, this.#at, seen, seen - 1) === seen) return true;
    }
    return false;
  }

  /**
   * Takes one; waits until there is one.
   *
   * @param timeoutMs 0 is no limit.
   * @throws {Error} `ETIMEDOUT` · `ERR_MAIN_THREAD` on the main thread.
   */
  acquire(timeoutMs = 0): void {
    if (this.tryAcquire()) return;
    checkMayBlock();
    const deadline = deadlineIn(timeoutMs);
    // Sleeps only while the count is 0: a release() in between is not missed.
    while (!this.tryAcquire()) sleepWhile(this.#words, this.#at, 0, leftUntil(deadline, timeoutMs));
  }

  /** The same for the main thread. */
  async acquireAsync(timeoutMs = 0): Promise<void> {
    const deadline = deadlineIn(timeoutMs);
    while (!this.tryAcquire()) await sleepWhileAsync(this.#words, this.#at, 0, leftUntil(deadline, timeoutMs));
  }

  /** Adds `count`. Any thread may, also one that took none. */
  release(count = 1): void {
    Atomics.add(this.#words, this.#at, count);
    // All that wait, not as many: a wake-up for one alone would be lost with a thread that is ended just then.
    Atomics.notify(this.#words, this.#at);
  }
}

function deadlineIn(timeoutMs: number): number {
  return timeoutMs > 0 ? performance.now() + timeoutMs : Number.POSITIVE_INFINITY;
}

function leftUntil(deadline: number, timeoutMs: number): number {
  const leftMs = deadline - performance.now();
  if (leftMs > 0) return leftMs;
  throw ringError("ETIMEDOUT", `Cannot acquire semaphore: nobody released it for ${timeoutMs} ms`);
}
