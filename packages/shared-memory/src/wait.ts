/// <reference lib="es2024.sharedmemory" />
import { isMainThread } from "node:worker_threads";
import { ringError } from "./ring-error.ts";

/** 2^31 - 1 ms: what stands for "no limit" where a number is needed. */
const LONGEST_MS = 2_147_483_647;

/**
 * Sleeps while `words[index]` is `value`, until somebody notifies it.
 *
 * @param ms At most so long; `Infinity` is no limit.
 * @returns Whether the time was over.
 * @throws {Error} `ERR_MAIN_THREAD` on the main thread: blocked, it would see no signal and no message.
 */
export function sleepWhile(words: Int32Array, index: number, value: number, ms: number): boolean {
  checkMayBlock();
  return Atomics.wait(words, index, value, ms) === "timed-out";
}

/** The same for the main thread: does not block it, and keeps the process alive meanwhile. */
export async function sleepWhileAsync(words: Int32Array, index: number, value: number, ms: number): Promise<boolean> {
  const waiting = Atomics.waitAsync(words, index, value, Math.min(ms, LONGEST_MS));
  // A promise of waitAsync alone does not hold a process.
  const alive = setTimeout(() => {}, LONGEST_MS);
  try {
    return (await waiting.value) === "timed-out";
  } finally {
    clearTimeout(alive);
  }
}

/** How often to look again before sleeping: some µs, about what a sleep and its wake-up would cost. */
export const LOOKS = 200;

/** @throws {Error} `ERR_MAIN_THREAD` on the main thread. */
export function checkMayBlock(): void {
  if (!isMainThread) return;
  const text = "Cannot wait on the main thread: it would see no signals and no messages. Use the asynchronous form";
  throw ringError("ERR_MAIN_THREAD", text);
}
