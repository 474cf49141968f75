/// <reference lib="es2024.sharedmemory" />
import { isMainThread } from "node:worker_threads";
import { LONGEST_MS } from "@ipc/core/durations";
import { ringError } from "./ring-error.ts";

/**
 * Sleeps while `words[index]` is `value`, until somebody notifies it.
 *
 * @param ms At most so long; `Infinity` is no limit.
 * @throws {Error} `ERR_MAIN_THREAD` on the main thread: blocked, it would see no signal and no message.
 */
export function sleepWhile(words: Int32Array, index: number, value: number, ms: number): void {
  checkMayBlock();
  Atomics.wait(words, index, value, ms);
}

/** The same for the main thread: does not block it, and keeps the process alive meanwhile. */
export async function sleepWhileAsync(words: Int32Array, index: number, value: number, ms: number): Promise<void> {
  const waiting = Atomics.waitAsync(words, index, value, Math.min(ms, LONGEST_MS));
  // A promise of waitAsync alone does not hold a process.
  const alive = setTimeout(() => {}, LONGEST_MS);
  try {
    await waiting.value;
  } finally {
    clearTimeout(alive);
  }
}

/** How often to look before sleeping: some µs in all, about what a sleep and its wake-up would cost. */
export const LOOKS = 5;

/**
 * Lets about a µs pass before the next look. Looking all the time would take the index away from the core that stores
 * it, and find one message where now there are twenty: without this, two cores that are far apart are half as quick.
 */
export function pause(): void {
  for (let turns = 0; turns < 2_000; turns++);
}

/** @throws {Error} `ERR_MAIN_THREAD` on the main thread. */
export function checkMayBlock(): void {
  if (!isMainThread) return;
  const text = "Cannot wait on the main thread: it would see no signals and no messages. Use the asynchronous form";
  throw ringError("ERR_MAIN_THREAD", text);
}
