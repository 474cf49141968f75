/**
 * All processes of a round trip on one core. Without it a round trip is bimodal: 13 to 17 µs on one core, 50 to 60 µs
 * where an idle second core has to be woken. Never for throughput, where both sides are to work at the same time.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Pins processes, with all their threads, to the first core.
 *
 * @returns why they are not pinned, in a few words; `undefined` when they are.
 */
export async function pinToOneCore(pids: readonly number[]): Promise<string | undefined> {
  for (const pid of pids) {
    try {
      await run("taskset", ["-apc", "0", String(pid)]);
    } catch (error) {
      const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (isMissing) return "taskset (util-linux) is missing";
      const [line = ""] = (error instanceof Error ? error.message : String(error)).trim().split("\n").slice(-1);
      return line;
    }
  }
  return undefined;
}
