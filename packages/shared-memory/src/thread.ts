import { Worker } from "node:worker_threads";

/**
 * Starts a TypeScript file as a thread. Node 22.18 and newer does so by itself; below, tsx, which does not take itself
 * along into threads, is registered in it.
 *
 * @param file Such as `new URL("./producer.ts", import.meta.url)`.
 * @param workerData What the thread finds in `workerData`: shared memory stays shared, the rest is copied.
 */
export function startThread(file: URL, workerData: unknown): Worker {
  const isKnown = !file.pathname.endsWith(".ts") || ("typescript" in process.features && process.features.typescript);
  return isKnown ? new Worker(file, { workerData }) : new Worker(file, { workerData, execArgv: registerTsx() });
}

function registerTsx(): string[] {
  const api = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  return ["--import", `data:text/javascript,${encodeURIComponent(`import { register } from ${api}; register();`)}`];
}
