/**
 * The frame of a program in `bin/`: errors in words, the ready line, an end by signal. Nothing in `src/` of an example
 * needs it.
 *
 * @module
 */
import { networkInterfaces } from "node:os";
import { describeProgram, type Flag, type FlagValues, type Program, parseFlags } from "./flags.ts";
import { say, warn } from "./terminal.ts";

/** Something that runs until it is closed: what `startServer()` and `connect()` give. */
export interface Closable {
  /** Ends it; what is in flight finishes first. May be called again. */
  close(): Promise<void>;
}

/** How long a program may take to end before it is cut off. Above every default `graceMs`. */
const END_WITHIN_MS = 4_500;

/**
 * Runs a program: reads its flags, calls `run`, and prints what went wrong in one line that says what to do (exit code
 * 1). A program that went well ends without `process.exit`, once nothing is left open.
 *
 * @example A server
 * ```ts no-run
 * import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
 * import { startServer } from "../src/index.ts";
 *
 * const flags = { port: { type: "number", help: "port to listen on", default: 65432 } } as const;
 * await runProgram({ name: "tcp-echo", summary: "Sends back what it gets.", flags }, async (values) => {
 *   const server = await startServer(values);
 *   closeOnSignal(server);
 *   sayReady("tcp-echo", server.url);
 * });
 * ```
 */
export async function runProgram<const F extends Record<string, Flag>>(
  program: Program<F>,
  run: (values: FlagValues<F>, args: string[]) => Promise<void>,
): Promise<void> {
  // The reader went away (`… | head -1`): there is nobody left to tell.
  process.stdout.on("error", () => process.exit(0));
  const failed = (error: unknown) => fail(error, program.advice);
  process.on("uncaughtException", failed);
  try {
    const { values, args, wantsHelp } = parseFlags(program, process.argv.slice(2));
    if (wantsHelp) return say(describeProgram(program));
    await run(values, args);
  } catch (error) {
    failed(error);
  }
}

/**
 * Prints the line by which people and programs know that a server is there, and where. A server that is open to the
 * network says under which addresses other machines reach it.
 *
 * @example
 * ```ts
 * import { sayReady } from "@ipc/core/process";
 *
 * sayReady("tcp-echo", "tcp://127.0.0.1:65432");
 * ```
 * ```text
 * tcp-echo listening on tcp://127.0.0.1:65432
 * ```
 */
export function sayReady(name: string, url: string): void {
  say(`${name} listening on ${url}`);
  const anyAddress = /(?<=\/\/)(0\.0\.0\.0|\[::\])(?=:)/;
  if (!anyAddress.test(url)) return;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const urls = addresses
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map(({ address }) => url.replace(anyAddress, address));
  say(`from other machines: ${urls.join(" or ") || "none, this machine has no network"}`);
}

/**
 * Closes `closable` at the first SIGINT or SIGTERM; to be called before the ready line, since whoever reads that may send
 * a signal at once. The process then ends by itself with exit code 0. A second signal
 * ends it at once with 1, and so does the end of `withinMs`: it says what was left open.
 *
 * Not `close-with-grace`: that calls `process.exit` when all went well, which would hide a socket left open.
 *
 * @example
 * ```ts
 * import { once } from "node:events";
 * import { createServer } from "node:net";
 * import { closeOnSignal } from "@ipc/core/process";
 *
 * const server = createServer().listen(0, "127.0.0.1");
 * closeOnSignal({
 *   async close() {
 *     server.close();
 *     console.log("closed");
 *   },
 * });
 * await once(server, "listening");
 * process.kill(process.pid, "SIGTERM");
 * ```
 * ```text
 * closed
 * ```
 */
export function closeOnSignal(closable: Closable, withinMs = END_WITHIN_MS): void {
  let isClosing = false;
  const onSignal = () => {
    if (isClosing) process.exit(1);
    isClosing = true;
    // Does not keep the process alive: it only fires when something else does.
    setTimeout(() => {
      const left = process.getActiveResourcesInfo().filter((resource) => resource !== "Timeout");
      warn(`Cannot end within ${withinMs} ms: still open are ${left.join(", ")}`);
      process.exit(1);
    }, withinMs).unref();
    closable.close().catch((error) => fail(error));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
}

function fail(error: unknown, advice?: Program<never>["advice"]): void {
  warn(describeError(error, advice));
  process.exitCode = 1;
  // What is still open belongs to a program that failed.
  setImmediate(() => process.exit(1));
}

/** What to do about an error, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: "Try --port 0",
  EADDRNOTAVAIL: "Try --host 127.0.0.1",
  ECONNREFUSED: "Start the server first, or wait longer with --wait-ms",
  ENOTFOUND: "Check the host's name",
  EAI_AGAIN: "Check the host's name",
  ETIMEDOUT: "Check that the server is alive, or wait longer with --timeout-ms",
  ECONNRESET: "Try again",
  ENOBUFS: "Send fewer at once",
  ENOTCONN: "Start the server, or wait longer with --timeout-ms",
  EMFILE: "Raise the limit of open files: ulimit -n",
  ERR_FRAME_TOO_LARGE: "Raise --max-frame-bytes on both sides",
};

/**
 * An error as one line that says what to do; never a stack trace. `NODE_DEBUG=ipc` shows the stack as well.
 *
 * @param advice A program's own, by code, in place of the usual one.
 * @example
 * ```ts
 * import { describeError } from "@ipc/core/process";
 *
 * const error = Object.assign(new Error("Cannot listen on tcp://127.0.0.1:1: the port is taken"), { code: "EADDRINUSE" });
 * console.log(describeError(error));
 * ```
 * ```text
 * Cannot listen on tcp://127.0.0.1:1: the port is taken. Try --port 0
 * ```
 */
export function describeError(error: unknown, advice: Program<never>["advice"] = {}): string {
  if (!(error instanceof Error)) return `Cannot go on: ${String(error)}`;
  const stack = process.env["NODE_DEBUG"]?.split(",").includes("ipc") ? `\n${error.stack}` : "";
  // Node's error for a host with several addresses has no text of its own.
  const [first] = error instanceof AggregateError ? error.errors : [];
  const [line = ""] = (error.message || first?.message || error.name).split("\n");
  const code = "code" in error ? String(error.code) : "";
  if (code === "ERR_USAGE") return `${line}. Try --help`;
  const what = advice[code] ?? ADVICE[code];
  return `${line}${what ? `. ${what}` : ""}${stack}`;
}
