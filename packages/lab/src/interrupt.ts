/**
 * Ends what runs at the first Ctrl-C, in order.
 *
 * @module
 */

/**
 * Calls `run` with a signal that aborts at the first SIGINT or SIGTERM, so that it can tidy up and throw the signal's
 * reason. A second one ends the process at once with 130.
 *
 * @example
 * ```ts no-run
 * import { interruptible } from "../src/interrupt.ts";
 *
 * await interruptible(async (signal) => {
 *   for (const step of [1, 2, 3]) {
 *     signal.throwIfAborted();
 *     await new Promise((resolve) => setTimeout(resolve, step));
 *   }
 * });
 * ```
 */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error("Interrupted"));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    return await run(controller.signal);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}
