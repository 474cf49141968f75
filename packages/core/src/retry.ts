/**
 * Waiting for somebody who is not there yet: any side may start first.
 *
 * Not `p-retry`: it has no end by the clock, and `src/` of an example is to be copied without bringing packages along.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";

/** How long to wait for the other side. */
export interface WaitOptions {
  /**
   * How long to go on trying, in ms; 0 tries once.
   * @default {10_000}
   */
  waitMs?: number | undefined;
  /** Ends the waiting. */
  signal?: AbortSignal | undefined;
  /** Called once, with what the first try failed with, before the waiting begins. */
  onWaiting?: ((error: Error) => void) | undefined;
}

/** 10 s: longer than a server takes to start, shorter than a person waits. */
export const DEFAULT_WAIT_MS = 10_000;

/** The first pause is up to 50 ms, then up to twice as long each time, up to 1 s. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Tries until it works, with pauses that grow and are drawn by chance ("full jitter"), so that a thousand clients of a
 * server that comes back do not all knock at the same moment.
 *
 * @param attempt One try; what it rejects with counts as "not there yet" when it is a system error (`ECONNREFUSED`, …).
 * @returns What the first try that works resolves with.
 * @throws What the last try rejected with, at the end of `waitMs`, or at once when it is no system error;
 *   `signal.reason` when aborted.
 * @example
 * ```ts
 * import { retry } from "@ipc/core/retry";
 *
 * let tries = 0;
 * const answer = await retry(async () => {
 *   if (++tries < 3) throw Object.assign(new Error("nobody there"), { code: "ECONNREFUSED" });
 *   return "here now";
 * }, { onWaiting: (error) => console.log(error.message) });
 * console.log(answer);
 * ```
 * ```text
 * nobody there
 * here now
 * ```
 */
export async function retry<T>(attempt: () => Promise<T>, options: WaitOptions = {}): Promise<T> {
  const { waitMs = DEFAULT_WAIT_MS, signal, onWaiting } = options;
  const deadline = performance.now() + waitMs;
  for (let longest = FIRST_PAUSE_MS, isFirst = true; ; longest = Math.min(longest * 2, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const leftMs = deadline - performance.now();
      if (!(leftMs > 0) || !isSystemError(error) || signal?.aborted) throw signal?.aborted ? signal.reason : error;
      if (isFirst) onWaiting?.(error);
      isFirst = false;
      await pause(Math.min(Math.random() * longest, leftMs), signal);
    }
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}

/** `ECONNREFUSED`, `ENOTFOUND`, …: the outside world's, not a mistake in a program. */
function isSystemError(error: unknown): error is Error {
  if (!(error instanceof Error) || !("code" in error)) return false;
  const code = String(error.code);
  return code.startsWith("E") && !code.startsWith("ERR_");
}
