/**
 * Ends a process together with all that it started.
 *
 * @module
 */
import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** Time for a broker or a browser that an example started to end in order: above the 4.5 s that our own programs take at most. */
const GRACE_MS = 5_000;

/**
 * Ends `leader`, which was started with `detached: true`, and everything below it: SIGTERM to the leader alone, which
 * passes it on in its own order, and after at most `graceMs` SIGKILL to what is left. Resolves when the leader is gone.
 */
export async function endTree(leader: ChildProcess, graceMs: number = GRACE_MS): Promise<void> {
  if (leader.pid === undefined) return;
  // Taken now: once the leader is gone, nothing says any more that a process of another group was below it.
  const below = await listDescendants(leader.pid);
  if (leader.exitCode === null && leader.signalCode === null) {
    const timer = setTimeout(() => leader.kill("SIGKILL"), graceMs);
    const gone = once(leader, "exit");
    leader.kill("SIGTERM");
    await gone;
    clearTimeout(timer);
  }
  killGroup(leader);
  for (const pid of below) kill(pid);
}

/** Sends SIGTERM to every process below this one, those in groups of their own as well. */
export async function endDescendants(): Promise<void> {
  for (const pid of await listDescendants(process.pid)) kill(pid, "SIGTERM");
}

/** Kills the group that `leader` leads, at once: what an exit handler can still do. */
export function killGroup(leader: ChildProcess): void {
  if (leader.pid !== undefined) kill(-leader.pid);
}

function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It is gone already, which is what we want. EPERM is macOS's word for a group of zombies.
    if (!["ESRCH", "EPERM"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}

/** The process ids of all that `pid` started, and of what those started. */
async function listDescendants(pid: number): Promise<number[]> {
  const parents = await listParents();
  const found = [pid];
  // The list grows while it is walked.
  for (const parent of found) {
    for (const [child, itsParent] of parents) if (itsParent === parent) found.push(child);
  }
  return found.slice(1);
}

/** The parent of every process. */
async function listParents(): Promise<Map<number, number>> {
  if (process.platform !== "linux") {
    const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid="]);
    return new Map(stdout.trim().split("\n").map(readPair));
  }
  // Not `ps`: slim images lack it.
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    // It may end between the two calls.
    pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined)),
  );
  return new Map(lines.filter((line) => line !== undefined).map(readStat));
}

function readPair(line: string): [number, number] {
  const [pid, parent] = line.trim().split(/\s+/);
  return [Number(pid), Number(parent)];
}

/** `12 (na) me) S 11 …`: a name may hold anything, so what counts comes after the last parenthesis (proc(5)). */
function readStat(line: string): [number, number] {
  const [, parent] = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return [Number.parseInt(line, 10), Number(parent)];
}
