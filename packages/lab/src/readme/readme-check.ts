/**
 * Finds what READMEs and doc comments claim, as checks that can be run: each command of a README, each TypeScript
 * snippet of a README or an `@example`.
 *
 * The words behind the fence of a block:
 * - `console`: lines that start with `$ ` are commands, run in bash from the root of the repository; the lines after one
 *   are what it prints, on both outputs. Nothing there: it only has to end with 0. A line `…` stands for any number of
 *   lines. Ports, pids, times, durations and rates may differ; lines of several processes (`server │ …`) are in order
 *   for each one. Comments (` # …`) at the end of a command are dropped. Every command starts in the root: no `cd`.
 * - `console terminal-1`: the command runs until it is stopped. It gets `--port 0` if it is a `start:…` without `--port`,
 *   and stays up until the next heading; what it prints beyond the block does not matter. `background` says the same of a further terminal.
 * - `console terminal-2` (or more): runs while it is up. The port of its ready line, as the README has it, is replaced
 *   by the real one; a `start:client` without a URL gets the real one.
 * - `exit-1`: the block's last command ends with this exit code.
 * - `limit=300`: seconds that a command may take, instead of 120.
 * - `needs=nc`: skipped where this program is missing.
 * - `no-run`: a console block that is not run; a `ts` block that is only type-checked.
 * - `ts`: a module in the folder of its package (`./src/…`, `@ipc/core/…`); in a doc comment in its `bin/` (`../src/…`).
 *   It is type-checked and has to end by itself with 0; when a `text` block follows, that is what it prints.
 *
 * @module
 */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Example, listPackages, repositoryRoot } from "../examples.ts";
import { findBinary } from "../needs.ts";
import { openTerminals, runBlock, startBlock, stopTerminals, type Terminals } from "./console-block.ts";
import type { Block } from "./markdown-blocks.ts";
import { listSources, type Source } from "./readme-sources.ts";
import { snippetChecks } from "./snippet-check.ts";

/** One claim. */
export interface Check {
  /** Where it is made: `packages/tcp-echo/README.md: $ npx pnpm --filter tcp-echo start`. */
  name: string;
  /** Why it cannot be checked here: `needs nc: apt-get install netcat-openbsd`. */
  skip?: string;
  timeoutMs: number;
  /** Throws when it does not hold. */
  run(): Promise<void>;
}

/** All claims of a repository. */
export interface Checks {
  /** To be run in this order: a server that one starts serves those after it. */
  readonly checks: readonly Check[];
  /** Removes the temporary folder. */
  close(): Promise<void>;
}

/** Collects the claims of all READMEs and doc comments. None is run yet. */
export async function collectChecks(root: string = repositoryRoot): Promise<Checks> {
  const packages = await listPackages(root);
  const sources = await listSources(root, packages);
  const reasons = await findUnmetNeeds(sources, packages);
  const temporary = await realpath(await mkdtemp(join(tmpdir(), "ipc-readme-")));
  const snippets = await snippetChecks(sources, { temporary, root, packages });
  return {
    checks: [...sources.flatMap((source) => consoleChecks(source, root, reasons)), ...snippets],
    close: () => rm(temporary, { recursive: true, force: true }),
  };
}

/** Why the blocks that need a program which is not there are skipped, by program. */
async function findUnmetNeeds(sources: readonly Source[], packages: readonly Example[]): Promise<Map<string, string>> {
  const known = new Map(packages.flatMap(({ manifest }) => Object.entries(manifest.needs)));
  const wanted = new Set(sources.flatMap(({ blocks }) => blocks.flatMap((block) => needOf(block) ?? [])));
  const reasons = new Map<string, string>();
  for (const binary of wanted) {
    if ((await findBinary(binary)) !== undefined) continue;
    reasons.set(binary, `needs ${binary}: apt-get install ${known.get(binary)?.apt ?? binary}`);
  }
  return reasons;
}

function consoleChecks({ name, blocks }: Source, folder: string, reasons: ReadonlyMap<string, string>): Check[] {
  const checks: Check[] = [];
  let group: { first: Block; terminals: Terminals } | undefined;

  function add(block: Block, run: Check["run"], suffix = ""): void {
    const [command = ""] = block.text.split("\n");
    const skip = reasons.get(needOf(block) ?? "");
    const timeoutMs = limitOf(block) + SPARE_MS;
    checks.push({
      name: `${name}: ${command}${suffix}`,
      timeoutMs,
      run,
      ...(skip === undefined ? {} : { skip }),
    });
  }

  function closeGroup(): void {
    if (!group) return;
    const { first, terminals } = group;
    add(first, () => stopTerminals(terminals), " (what it printed by the end)");
    group = undefined;
  }

  let section = 0;
  for (const block of blocks) {
    const isFirst = block.words.includes("terminal-1");
    if (block.section !== section || isFirst) closeGroup();
    section = block.section;
    if (block.language !== "console" || block.words.includes("no-run")) continue;
    const options = { folder, limitMs: limitOf(block) };
    if (isFirst) group = { first: block, terminals: openTerminals() };
    const terminals = group?.terminals ?? openTerminals();
    const isServer = isFirst || block.words.includes("background");
    add(block, () => (isServer ? startBlock : runBlock)(block, terminals, options));
  }
  closeGroup();
  return checks;
}

/** For what a check does after its command: stopping it, comparing. */
const SPARE_MS = 15_000;

function limitOf({ words }: Block): number {
  return Number(wordOf(words, "limit=") ?? 120) * 1000;
}

function needOf({ words }: Block): string | undefined {
  return wordOf(words, "needs=");
}

function wordOf(words: readonly string[], start: string): string | undefined {
  return words.find((word) => word.startsWith(start))?.slice(start.length);
}
