/**
 * Where the figures come from.
 *
 * @module
 */
import { availableParallelism, cpus, totalmem } from "node:os";

/** One line: Node's version, cores, CPU, memory, rounds. */
export function describeMachine(rounds: number): string {
  const model = cpus()[0]?.model.trim() || "unknown CPU";
  const gib = Math.round(totalmem() / 2 ** 30);
  return `Node ${process.versions.node}, ${availableParallelism()} cores, ${model}, ${gib} GiB; ${rounds} rounds`;
}
