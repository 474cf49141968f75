import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for sockets and FIFOs, and what removes it. */
export async function makeFolder(): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "ipc-bench-"));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A program of the example. */
export function pipesBin(name: string): URL {
  return new URL(`../../../pipes/bin/${name}.ts`, import.meta.url);
}
