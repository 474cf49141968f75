/**
 * Runs TypeScript programs as processes of their own: a pair for `start`, one at a time for tests and the tour.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { paint, say, warn } from "./terminal.ts";

/** How a process ended: an exit code, or the signal that ended it. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running program. */
export interface Child {
  readonly pid: number;
  /** Resolves with the first URL it says it is listening on; rejects when it ends before that. */
  readonly ready: Promise<string>;
  /** Resolves when it has ended and all that it printed has been read. */
  readonly exited: Promise<Exit>;
  /** Every line so far of its standard output. */
  readonly output: readonly string[];
  /** Every line so far of its standard error. */
  readonly errors: readonly string[];
  /** Its standard input. */
  readonly stdin: NodeJS.WritableStream;
  /** Sends a signal and resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
  /** Resolves with the first line, printed or still to come, that `matches`; rejects when it ends without. */
  waitForLine(matches: RegExp): Promise<string>;
}

/** How a program is started. */
export interface ChildOptions {
  /** Called with each line as it comes. */
  onLine?: ((line: string, from: "stdout" | "stderr") => void) | undefined;
  /** Environment in addition to this process's. */
  env?: Record<string, string> | undefined;
  /** The folder it starts in. @default {process.cwd()} */
  cwd?: string | undefined;
  /** A command that runs the program as its last arguments, by `exec` so that signals reach it: `["taskset", "-c", "0"]`. */
  under?: readonly string[] | undefined;
}

/**
 * Starts `file` (a path or `file:` URL of a TypeScript program) as a Node process.
 *
 * @example
 * ```ts no-run
 * import { startProgram } from "@ipc/core/child";
 *
 * const server = startProgram(new URL("../bin/server.ts", import.meta.url), ["--port", "0"]);
 * console.log(await server.ready);
 * await server.stop();
 * ```
 */
export function startProgram(file: string | URL, args: readonly string[] = [], options: ChildOptions = {}): Child {
  const path = file instanceof URL || file.startsWith("file:") ? fileURLToPath(file) : file;
  // Node itself runs the file, not npx or a shell: a signal must reach the program.
  const [command = process.execPath, ...before] = [...(options.under ?? []), process.execPath];
  return watch(
    spawn(command, [...before, ...typescriptFlags(), path, ...args], {
      stdio: "pipe",
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
    }),
    options,
  );
}

/** Node 22.18 and newer runs TypeScript by itself; older ones through tsx. */
function typescriptFlags(): string[] {
  return "typescript" in process.features && process.features.typescript
    ? []
    : ["--import", import.meta.resolve("tsx")];
}

function watch(child: ChildProcess & { stdin: NodeJS.WritableStream }, { onLine }: ChildOptions): Child {
  const lines = { stdout: [] as string[], stderr: [] as string[] };
  const waiting = new Set<(...newLines: string[]) => void>();
  const state = { hasEnded: false };

  // A child that is gone closes its input: EPIPE is no news.
  child.stdin.on("error", () => {});
  for (const from of ["stdout", "stderr"] as const) {
    const stream = child[from];
    if (!stream) continue;
    createInterface({ input: stream }).on("line", (line) => {
      lines[from].push(line);
      onLine?.(line, from);
      for (const look of [...waiting]) look(line);
    });
  }

  const exited = once(child, "close")
    .then(([code, signal]): Exit => ({ code, signal }))
    .finally(() => {
      state.hasEnded = true;
      for (const look of [...waiting]) look();
    });
  // Whoever waits for a line only is not to die of a program that could not be started.
  exited.catch(() => {});

  function waitForLine(matches: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      /** All lines so far at first, then only the one that came. */
      function look(...newLines: string[]) {
        const line = newLines.find((text) => matches.test(text));
        if (line === undefined && !state.hasEnded) return;
        waiting.delete(look);
        if (line !== undefined) return resolve(line);
        reject(new Error(`Cannot find ${matches} in what the process printed: ${allLines(lines) || "nothing"}`));
      }
      waiting.add(look);
      look(...lines.stdout, ...lines.stderr);
    });
  }

  const ready = waitForLine(READY).then((line) => READY.exec(line)?.[1] ?? "");
  // Whoever does not need the ready line is not to die of its absence.
  ready.catch(() => {});

  return {
    pid: child.pid ?? -1,
    ready,
    exited,
    output: lines.stdout,
    errors: lines.stderr,
    stdin: child.stdin,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return exited;
    },
    waitForLine,
  };
}

const READY = / listening on (\S+)/;

function allLines(lines: { stdout: string[]; stderr: string[] }): string {
  return [...lines.stdout, ...lines.stderr].join(" / ");
}

/** One half of a pair. */
export interface PairMember {
  /** What stands in front of its lines: `server`. */
  role: string;
  file: string | URL;
  args?: readonly string[];
}

/**
 * Runs a server and a client as two processes and shows what each prints: starts `server` on a free port, hands its
 * URL to `client` as the first argument, and when the client has ended stops the server. Sets the exit code to 1 when
 * either fails. Ctrl-C stops both.
 *
 * @param server Gets `--port 0` and prints a ready line.
 * @param client Gets the URL and ends by itself.
 */
export async function runPair(server: PairMember, client: PairMember): Promise<void> {
  const width = Math.max(server.role.length, client.role.length);
  const start = (member: PairMember, args: string[], color: "cyan" | "magenta") => {
    const label = paint(color, `${member.role.padEnd(width)} │`);
    return startProgram(member.file, [...args, ...(member.args ?? [])], {
      onLine: (line, from) => (from === "stdout" ? say : warn)(`${label} ${line}`),
    });
  };

  const children: Child[] = [];
  let isInterrupted = false;
  const onSignal = (signal: NodeJS.Signals) => {
    isInterrupted = true;
    // Ctrl-C on a terminal reaches the children by itself, and a second signal would cut them off.
    if (signal === "SIGINT" && process.stdin.isTTY) return;
    for (const child of children) void child.stop(signal);
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  try {
    const first = start(server, ["--port", "0"], "cyan");
    children.push(first);
    const url = await first.ready.catch(() => undefined);
    if (url !== undefined && !isInterrupted) {
      const second = start(client, [url], "magenta");
      children.push(second);
      await second.exited;
    }
    if (!isInterrupted) await first.stop();
    const exits = await Promise.all(children.map(({ exited }) => exited));
    // Interrupted, a client ends by the signal as well; on Windows every signal ends a process like that.
    const mayEndBySignal = isInterrupted || process.platform === "win32";
    if (exits.some(({ code }) => code !== 0 && !(mayEndBySignal && code === null))) process.exitCode = 1;
  } finally {
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
  }
}
