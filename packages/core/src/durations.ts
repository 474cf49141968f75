/** The longest a timer can wait: 2^31 - 1 ms, almost 25 days. Above that Node's timers fire at once. */
export const LONGEST_MS = 2_147_483_647;

/**
 * Refuses durations that a timer would not understand.
 *
 * @param durations By the name of their option, in ms.
 * @throws {RangeError} for what is no whole number from 0 to 2^31 - 1.
 * @example
 * ```ts
 * import { checkDurations } from "@ipc/core/durations";
 *
 * try {
 *   checkDurations({ timeoutMs: 5_000, graceMs: Number.POSITIVE_INFINITY });
 * } catch (error) {
 *   console.log(String(error));
 * }
 * ```
 * ```text
 * RangeError: Cannot use graceMs: current value is Infinity, it takes 0 to 2147483647
 * ```
 */
export function checkDurations(durations: Record<string, number>): void {
  for (const [name, ms] of Object.entries(durations)) {
    if (Number.isInteger(ms) && ms >= 0 && ms <= LONGEST_MS) continue;
    throw new RangeError(`Cannot use ${name}: current value is ${ms}, it takes 0 to ${LONGEST_MS}`);
  }
}
