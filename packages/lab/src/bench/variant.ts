/**
 * What the module of a variant exports: one function, `setup`. It runs in a process of its own that lives through all
 * rounds, so that its JIT is warm and no other variant's callbacks make it megamorphic.
 *
 * @example A server process beside the client that is measured
 * ```ts no-run
 * import { startProgram } from "@ipc/core/child";
 * import { connectTcp } from "@ipc/core/sockets";
 * import { repeatFor, type VariantSetup } from "../src/bench/variant.ts";
 *
 * export const setup: VariantSetup = async ({ messageBytes }) => {
 *   const server = startProgram(new URL("server.ts", import.meta.url), ["--port", "0"]);
 *   const socket = await connectTcp(await server.ready);
 *   return {
 *     pids: [server.pid],
 *     async measure({ forMs }) {
 *       const { passes, ns } = await repeatFor(forMs, () => void socket.write(new Uint8Array(Number(messageBytes))));
 *       return (passes / ns) * 1e9;
 *     },
 *     async close() {
 *       socket.destroy();
 *       await server.stop();
 *     },
 *   };
 * };
 * ```
 * @module
 */

/** What a variant is told: which of several it is, how large a message is. */
export type VariantOptions = Readonly<Record<string, string | number | boolean>>;

/** What is asked of one measurement. */
export interface MeasureRequest {
  /** About how long it should take, in milliseconds. */
  forMs: number;
}

/** A variant that is ready. */
export interface MeasurableVariant {
  /** One figure, in the unit of its group. Never called while an earlier call is still running. */
  measure(request: MeasureRequest): number | Promise<number>;
  /** Other processes that take part: pinned with this one, and ended with it whatever happens. */
  pids?: readonly number[];
  /** Ends what `setup` started. */
  close?(): void | Promise<void>;
}

/** Prepares a variant: messages, connections, servers. None of this is measured. */
export type VariantSetup = (options: VariantOptions) => MeasurableVariant | Promise<MeasurableVariant>;

const WRONG_RESULT = "ERR_BENCH_WRONG_RESULT";

/** To be thrown by `measure` when what it measured lost or spoilt messages: it is reported instead of a figure. */
export function wrongResult(message: string): Error {
  return Object.assign(new Error(message), { code: WRONG_RESULT });
}

/** Whether an error says that a variant gave wrong results, not that it could not run. */
export function isWrongResult(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === WRONG_RESULT;
}

/**
 * Runs `pass` again and again for `forMs`, at least once.
 *
 * @returns how often it ran and how many nanoseconds all of that took.
 */
export async function repeatFor(
  forMs: number,
  pass: () => void | Promise<void>,
): Promise<{ passes: number; ns: number }> {
  const start = performance.now();
  let passes = 0;
  let elapsedMs = 0;
  do {
    await pass();
    passes++;
    elapsedMs = performance.now() - start;
  } while (elapsedMs < forMs);
  return { passes, ns: elapsedMs * 1e6 };
}
