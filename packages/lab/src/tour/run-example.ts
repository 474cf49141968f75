/**
 * Runs one example as its reader would, with a time limit.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import type { Example } from "../examples.ts";
import { findBinary } from "../needs.ts";
import { endTree, killGroup } from "../process-tree.ts";

/** How a run went. */
export interface Run {
  /** Skipped: it failed, and a program that it needs is not on this machine. */
  result: "passed" | "failed" | "skipped";
  /** Why it did not pass: `exit code 1`, `still running after 60 s`. */
  why?: string;
  /** The last line on its standard error, where the exit code alone says little. */
  lastError?: string;
  seconds: number;
}

/** How an example is run. */
export interface RunOptions {
  /** Ends it and all that it started. */
  signal: AbortSignal;
  /** How long it may take. */
  timeoutMs: number;
  /** Called with each line it prints, without escape codes. */
  onLine: (line: string) => void;
}

/** Runs `start --once` of an example and leaves no process of it behind, however it ends. */
export async function runExample(example: Example, options: RunOptions): Promise<Run> {
  const startedAt = performance.now();
  const end = await runToEnd(example, options);
  const seconds = (performance.now() - startedAt) / 1000;
  if (end.why === undefined) return { result: "passed", seconds };
  // Tried all the same: a service elsewhere, named by AMQP_URL or the like, would have done as well.
  const missing = await findMissing(example);
  if (missing === undefined || process.env["IPC_REQUIRE"] === "all") {
    return { result: "failed", ...end, seconds };
  }
  return { result: "skipped", why: `needs ${missing}, which is not here`, seconds };
}

async function findMissing({ manifest }: Example): Promise<string | undefined> {
  for (const binary of Object.keys(manifest.needs)) {
    if ((await findBinary(binary)) === undefined) return binary;
  }
  return undefined;
}

/** Why it did not end well: nothing where it did. */
async function runToEnd(example: Example, options: RunOptions): Promise<Pick<Run, "why" | "lastError">> {
  const [command, ...args] = (example.manifest.scripts["start"] ?? "").split(/\s+/);
  if (command !== "node") return { why: "its start script does not begin with node" };
  const child = spawn(process.execPath, [...args, "--once"], {
    cwd: example.folder,
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, which can be ended as one; Ctrl-C reaches it through us alone.
    detached: true,
  });
  const onExit = () => killGroup(child);
  process.on("exit", onExit);
  let lastError: string | undefined;
  const read = [
    readLines(child.stdout, options.onLine),
    readLines(child.stderr, (line) => {
      if (line !== "") lastError = line;
      options.onLine(line);
    }),
  ];
  try {
    const why = await waitForEnd(child, options);
    await endTree(child);
    const isRead = await settlesWithin(Promise.all(read), 1_000);
    // Nothing else can hold the other ends now but a process that went its own way.
    if (why === undefined) return isRead ? {} : { why: "it left a process running" };
    return lastError === undefined ? { why } : { why, lastError };
  } finally {
    child.stdout.destroy();
    child.stderr.destroy();
    process.off("exit", onExit);
  }
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const lines = createInterface({ input: stream });
  lines.on("line", (line) => onLine(stripVTControlCharacters(line)));
  await once(lines, "close");
}

function settlesWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms, false);
    work.then(() => resolve(true), reject).finally(() => clearTimeout(timer));
  });
}

/** Resolves with why it did not end well, or with nothing. */
function waitForEnd(child: ChildProcess, { signal, timeoutMs }: RunOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle(`still running after ${timeoutMs / 1000} s`), timeoutMs);
    const onAbort = () => settle("interrupted");
    function settle(why: string | undefined) {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(why);
    }
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    child.once("error", ({ message }) => settle(message));
    child.once("exit", (code, endedBy) => {
      if (code === 0) settle(undefined);
      else settle(code === null ? `ended by ${endedBy}` : `exit code ${code}`);
    });
  });
}
