import { sleepWhile, sleepWhileAsync } from "./sleep.ts";

/*
 * Waiting for something that is not one word: for a message, or the writer's end, or its death. Two words: whether
 * somebody listens, and how often the bell was rung.
 *
 * A wake-up cannot be lost: who waits says so first, looks again, and only then sleeps. Who changes something looks
 * afterwards whether somebody listens. Atomics are in one order for all threads, so either the one sees the change, or
 * the other sees the listener; and a bell that was rung in between is not slept on, since its count has changed.
 *
 *     for (;;) {
 *       const heard = bell.listen();
 *       if (itIsThere()) return;
 *       bell.sleep(heard, ms);
 *     }
 */

/** Wakes threads that wait for a change. */
export class Bell {
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param at The first of its two words. */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Says that somebody waits; to be called before looking for the last time. */
  listen(): number {
    const heard = Atomics.load(this.#words, this.#at + 1);
    Atomics.store(this.#words, this.#at, 1);
    return heard;
  }

  /** Sleeps until it rings, or has rung since `listen()`; at most so long. */
  sleep(heard: number, ms: number): void {
    sleepWhile(this.#words, this.#at + 1, heard, ms);
  }

  /** The same without blocking the thread. */
  sleepAsync(heard: number, ms: number): Promise<void> {
    return sleepWhileAsync(this.#words, this.#at + 1, heard, ms);
  }

  /** Wakes all that listen; to be called after what changed is stored. Costs one load when nobody does. */
  ring(): void {
    if (Atomics.load(this.#words, this.#at) === 0) return;
    Atomics.store(this.#words, this.#at, 0);
    Atomics.add(this.#words, this.#at + 1, 1);
    Atomics.notify(this.#words, this.#at + 1);
  }
}
