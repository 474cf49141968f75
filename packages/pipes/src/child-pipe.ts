import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { DEFAULT_MAX_FRAME_BYTES } from "@ipc/core/framing";
import {
  createRequester,
  type Link,
  REQUESTER_DEFAULTS,
  type Requester,
  type RequesterOptions,
} from "@ipc/core/requests";
import { tell } from "@ipc/core/tell";
import { answer, type Handler } from "./answer.ts";

/** Options of {@link startChild}. */
export interface ChildOptions extends RequesterOptions {
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ChildEvent) => void) | undefined;
}

/** What a parent tells of its child. */
export type ChildEvent =
  | { type: "started"; pid: number }
  /** It ended; `error` tells how. */
  | { type: "ended"; pid: number; error: Error };

/**
 * Starts a program and talks to it over its standard input and output, which no other process can reach. Its standard
 * error is this process's: that is where it writes its log.
 *
 * A child that has ended is not started again by itself, but by the next request. One that is silent for `timeoutMs`
 * while it owes a reply is killed. `close()` ends its input, upon which it is to end; after `graceMs` it is killed.
 *
 * @param command The program and its arguments.
 * @throws {Error} `ENOENT`, `EACCES`: there is no such program, or it must not be run.
 */
export async function startChild(
  command: readonly [string, ...string[]],
  options: ChildOptions = {},
): Promise<Requester> {
  const { graceMs = REQUESTER_DEFAULTS.graceMs, onEvent } = options;
  const [program, ...args] = command;

  async function open() {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    try {
      await once(child, "spawn");
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      const why = code === "ENOENT" ? "there is no such program" : message;
      throw Object.assign(new Error(`Cannot start ${program}: ${why}`, { cause }), { code });
    }
    const link = linkChild(child, graceMs);
    const pid = child.pid ?? 0;
    tell(onEvent, { type: "started", pid });
    void link.ended.then((error) => tell(onEvent, { type: "ended", pid, error }));
    return link;
  }
  return await createRequester({ name: `child ${program}`, open }, options);
}

function linkChild(child: ChildProcess, graceMs: number): Link {
  const { stdin: output, stdout: input } = child;
  if (!(output instanceof Socket && input instanceof Socket))
    throw new TypeError("Cannot talk to child: it has no pipes");
  const kill = () => void child.kill("SIGKILL");
  // EPIPE, ECONNRESET: that it ended is told by its exit.
  output.on("error", () => {});
  input.on("error", () => {});

  let reason: Error | undefined;
  const ended = new Promise<Error>((resolve) => {
    child.once("close", (code, signal) => {
      resolve(reason ?? new Error(`the child ended ${signal ? `by ${signal}` : `with exit code ${code}`}`));
    });
  });
  // A child of its own may still have its output open: no reply comes from there.
  child.once("exit", () => setTimeout(() => input.destroy(), LAST_WORDS_MS).unref());
  // Without one of them it is of no use, though it may be about to end by itself.
  input.once("end", () => killAfter(graceMs));
  output.once("close", () => killAfter(graceMs));

  function killAfter(ms: number) {
    const timer = setTimeout(kill, ms);
    void ended.then(() => clearTimeout(timer));
  }
  return {
    peer: "the child",
    input,
    output,
    ended,
    async end() {
      output.end();
      killAfter(graceMs);
      await ended;
    },
    cutOff(why) {
      reason = why;
      kill();
    },
  };
}

/** 1 s: replies that were written before it ended are read in much less. */
const LAST_WORDS_MS = 1_000;

/** Options of {@link answerParent}. */
export interface AnswerOptions {
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /** Ends it: what has come is still answered. */
  signal?: AbortSignal | undefined;
}

/**
 * The child's side: answers every message on standard input with a reply on standard output, until the input ends, as
 * it does when the parent is gone. Nothing else may be printed on standard output: no `console.log`.
 *
 * @returns When all replies are written: the process may end.
 * @throws {FrameError} what the parent did wrong.
 */
export async function answerParent(handler: Handler, options: AnswerOptions = {}): Promise<void> {
  const { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES, signal } = options;
  const { stdin: input, stdout: output } = process;
  // The parent is gone: its end of the input tells the same.
  output.on("error", () => {});
  try {
    await answer({ input, output }, handler, { maxFrameBytes, signal });
  } finally {
    // Writes to pipes are not done when they return (POSIX): ending the process before would lose the last replies.
    await new Promise((resolve) => output.write("", resolve));
    input.destroy();
  }
}
