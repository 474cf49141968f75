/**
 * Runs a benchmark: group after group, round after round, one process a variant.
 *
 * @module
 */
import { say } from "@ipc/core/terminal";
import yoctoSpinner from "yocto-spinner";
import { type BenchSettings, type Group, type Suite, withReferenceTwice } from "./group.ts";
import { describeMachine } from "./machine.ts";
import { pinToOneCore } from "./pinning.ts";
import { formatGroup, formatHead } from "./report.ts";
import { measureInRounds, type RoundsResult } from "./rounds.ts";
import { startWorker, type WorkerProcess } from "./worker-process.ts";

const QUICK_ROUNDS = 3;
const QUICK_MS = 10;
const DEFAULT_MS = 100;
const DISCARDED_ROUNDS = 2;

/** Runs a benchmark and prints it, one group after another. */
export async function runSuite(suite: Suite, settings: BenchSettings): Promise<void> {
  const rounds = settings.isQuick ? Math.min(QUICK_ROUNDS, settings.rounds) : settings.rounds;
  say(formatHead(suite.title, describeMachine(rounds), settings));
  for (const group of suite.groups) {
    const { result, unpinned } = await measureGroup(group, { ...settings, rounds });
    say(formatGroup(group, result, { isMarkdown: settings.isMarkdown, unpinned }));
  }
}

/** What one group gave. */
export interface GroupResult {
  result: RoundsResult;
  /** Why its processes were not pinned, where they should have been. */
  unpinned: string | undefined;
}

/**
 * Starts a process for each variant and one more for the reference, measures them in rotation and ends them all,
 * whatever happens.
 *
 * @throws {Error} in one line when a variant fails or its process dies.
 */
export async function measureGroup(group: Group, settings: BenchSettings): Promise<GroupResult> {
  const workers = new Map<string, WorkerProcess>();
  const spinner = yoctoSpinner({ text: group.title, stream: process.stderr, handleSignals: false });
  // Where nobody watches, each new text would be a line of its own.
  const isWatched = process.stderr.isTTY === true;
  if (isWatched) spinner.start();
  try {
    for (const variant of withReferenceTwice(group)) {
      workers.set(variant.name, await startWorker(variant.name, variant.module, variant.options ?? {}));
    }
    const pids = [...workers.values()].flatMap((worker) => worker.pids);
    const unpinned = group.isPinned ? await pinToOneCore(pids) : undefined;
    const forMs = settings.isQuick ? QUICK_MS : (group.measureMs ?? DEFAULT_MS);
    const measure = async (name: string) => (await workers.get(name)?.measure(forMs)) ?? Number.NaN;
    const result = await measureInRounds([...workers.keys()], measure, {
      rounds: settings.rounds,
      discarded: settings.isQuick ? 1 : DISCARDED_ROUNDS,
      onMeasure(round, name) {
        if (isWatched) spinner.text = `${group.title}: round ${round}, ${name}`;
      },
    });
    return { result, unpinned };
  } finally {
    spinner.stop();
    await Promise.all([...workers.values()].map((worker) => worker.close()));
  }
}
