/**
 * The benchmarks by name: each `bench/<name>.ts` exports a function `run`.
 *
 * @module
 */
import { readdir } from "node:fs/promises";
import type { BenchSettings } from "./group.ts";

const FOLDER = new URL("../../bench/", import.meta.url);

/** The names that `pnpm bench` takes. */
export async function listBenches(): Promise<string[]> {
  const files = await readdir(FOLDER);
  return files
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .map((file) => file.slice(0, -".ts".length))
    .sort();
}

/**
 * Runs one benchmark.
 *
 * @throws {RangeError} when there is none of that name.
 */
export async function runBench(name: string, settings: BenchSettings): Promise<void> {
  const names = await listBenches();
  if (!names.includes(name)) {
    throw new RangeError(`Cannot run benchmark '${name}': there are ${names.join(", ")}`);
  }
  const exports: { run?: unknown } = await import(new URL(`${name}.ts`, FOLDER).href);
  if (typeof exports.run !== "function") throw new TypeError(`Cannot run benchmark '${name}': it has no 'run'`);
  await exports.run(settings);
}
