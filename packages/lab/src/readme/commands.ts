/**
 * Runs commands as they stand in a README: literally, in bash.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { endTree, killGroup } from "../process-tree.ts";
import { plainLines } from "./transcript.ts";

/** A command that is running. */
export interface RunningCommand {
  /** All that it has printed so far, as a terminal shows it. */
  lines(): string[];
  /** Resolves with its exit code; 128 and more stand for a signal. */
  readonly exited: Promise<number>;
  /** Resolves with whether `isThere` came true for its lines, before it ended and within the time. */
  waitFor(isThere: (lines: string[]) => boolean, withinMs: number): Promise<boolean>;
  /** Ends it with all that it started: in order, by SIGTERM, and by force what is left after 5 s. */
  stop(): Promise<void>;
}

const STOP_WITHIN_MS = 5_000;

/**
 * Under `npx pnpm test`, `pnpm` itself may not be on the PATH of a shell. Where it is, npx has found it already: to look
 * again costs it a second for each command.
 */
const PROLOGUE = `exec 2>&1
if type -P pnpm >/dev/null; then
  npx() { if [ "$1" = pnpm ]; then shift; command pnpm "$@"; else command npx "$@"; fi; }
else
  pnpm() { npx pnpm "$@"; }
fi
`;

/** Starts a command in bash, in a process group of its own. */
export function startCommand(command: string, folder: string): RunningCommand {
  const child = spawn("bash", ["-c", PROLOGUE + command], {
    cwd: folder,
    env: commandEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  endWithUs(child);

  let output = "";
  const looks = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    for (const look of [...looks]) look();
  });
  const lines = () => plainLines(output).filter((line) => !NOISE.test(line));
  const state = { hasEnded: false };
  const exited = once(child, "exit").then(([code, signal]) => (signal ? 128 : Number(code)));
  // "close" comes when nothing that it started has its output open any more.
  const closed = once(child, "close").then(() => {
    state.hasEnded = true;
    running.delete(child);
    for (const look of [...looks]) look();
  });

  return {
    lines,
    exited,
    waitFor: (isThere, withinMs) =>
      new Promise((resolve) => {
        const settle = (isTrue: boolean) => {
          looks.delete(look);
          clearTimeout(timer);
          resolve(isTrue);
        };
        const look = () => {
          if (isThere(lines())) settle(true);
          else if (state.hasEnded) settle(false);
        };
        const timer = setTimeout(() => settle(false), withinMs);
        looks.add(look);
        look();
      }),
    async stop() {
      if (!state.hasEnded) signalGroup(child, "SIGTERM");
      const timer = setTimeout(() => void endTree(child, 0), STOP_WITHIN_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** What pnpm and npm say about themselves: the script they run, their settings, a newer version. */
const NOISE = /^(\$ |npm (warn|notice)\b)/;

function commandEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, npm_config_yes: "true", NO_COLOR: "1" };
  // They would tell the command that it is part of this test run, to print colours, or (under `npx -p node@24 …`) that
  // `npx pnpm` is to be found in another package.
  for (const name of ["NODE_TEST_CONTEXT", "FORCE_COLOR", "INIT_CWD", "npm_config_package"]) delete environment[name];
  return environment;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch (error) {
    // It ended in between.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

const running = new Set<ChildProcess>();

/** A group of its own also outlives this process, unless that ends it. */
function endWithUs(child: ChildProcess): void {
  if (running.size === 0 && !process.listeners("exit").includes(killAll)) {
    process.on("exit", killAll);
    // Without a listener the signal would end this process without its "exit".
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  }
  running.add(child);
}

function killAll(): void {
  for (const child of running) killGroup(child);
}
