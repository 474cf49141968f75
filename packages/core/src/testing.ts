/**
 * What tests wait for and look at.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Longer than anything that a test waits for may take, also on a busy machine. */
const PATIENCE_MS = 30_000;

/**
 * Asks again and again until `check` gives something. Gives up in the end, so that a test that failed lets the process go.
 *
 * @throws {Error} after 30 s.
 * @example
 * ```ts
 * import { until } from "@ipc/core/testing";
 *
 * const lines: string[] = [];
 * setTimeout(() => lines.push("received"), 50);
 * console.log(await until(() => lines[0]));
 * ```
 * ```text
 * received
 * ```
 */
export async function until<T>(check: () => T | undefined | false, everyMs = 20): Promise<T> {
  for (const from = performance.now(); performance.now() - from < PATIENCE_MS; await sleep(everyMs)) {
    const result = check();
    if (result !== undefined && result !== false) return result;
  }
  throw new Error(`Cannot see within ${PATIENCE_MS} ms: ${check}`);
}

/**
 * A promise and the function that resolves it.
 *
 * @example
 * ```ts
 * import { signalled } from "@ipc/core/testing";
 *
 * const asked = signalled<string>();
 * setTimeout(() => asked.resolve("who is there?"), 10);
 * console.log(await asked.promise);
 * ```
 * ```text
 * who is there?
 * ```
 */
export function signalled<T = void>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve = (_value: T) => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/**
 * The memory that a process has in use, in MiB, as the system counts it; `undefined` where there is no `/proc`.
 *
 * @example
 * ```ts
 * import { residentMib } from "@ipc/core/testing";
 *
 * const mib = residentMib(process.pid);
 * console.log(mib === undefined || mib > 1);
 * ```
 * ```text
 * true
 * ```
 */
export function residentMib(pid: number): number | undefined {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return undefined;
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(path, "utf8"))?.[1];
  return kib === undefined ? undefined : Number(kib) / 1024;
}
