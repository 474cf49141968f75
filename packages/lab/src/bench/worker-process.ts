/**
 * One worker process, seen from the harness: asked for one thing at a time, and ended with all that it started.
 *
 * @module
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseReply, type WorkerReply, type WorkerRequest } from "./messages.ts";
import { type VariantOptions, wrongResult } from "./variant.ts";

/** A variant in a process of its own. */
export interface WorkerProcess {
  /** The worker's process first, then those that its variant named. */
  readonly pids: readonly number[];
  /** One figure. @throws {Error} in one line when the variant fails or its process dies. */
  measure(forMs: number): Promise<number>;
  /** Lets the variant close, then ends every process of it that is left. Never rejects; may be called again. */
  close(): Promise<void>;
}

/** How long a variant may take to close before it is cut off. */
const CLOSE_WITHIN_MS = 3_000;

/**
 * Forks a worker and sets a variant up in it.
 *
 * @param name For error messages.
 * @throws {Error} in one line when `setup` fails; the process is gone then.
 */
export async function startWorker(name: string, module: URL, options: VariantOptions): Promise<WorkerProcess> {
  const child = fork(fileURLToPath(new URL("./worker.ts", import.meta.url)), {
    execArgv: ["--import", import.meta.resolve("tsx")],
    // What a variant prints is no part of the table on standard output.
    stdio: ["ignore", 2, 2, "ipc"],
    // A process group of its own: its servers can be ended even when it can no longer do so itself.
    detached: true,
  });
  const ended = once(child, "exit");
  let closed: Promise<void> | undefined;
  const pids = [child.pid ?? -1];

  async function ask(request: WorkerRequest): Promise<WorkerReply> {
    const reply = await nextReply(child, name, request);
    if (reply.is === "wrong") throw wrongResult(reply.message);
    if (reply.is === "failed") throw new Error(`Cannot measure '${name}': ${reply.message}`);
    return reply;
  }

  async function end(): Promise<void> {
    if (child.connected) child.send({ do: "close" } satisfies WorkerRequest, () => {});
    const timer = setTimeout(() => killGroup(child), CLOSE_WITHIN_MS);
    await ended;
    clearTimeout(timer);
    // The leader is gone; a server that it could not stop is still in its group.
    killGroup(child);
  }

  const worker: WorkerProcess = {
    pids,
    async measure(forMs) {
      const reply = await ask({ do: "measure", forMs });
      if (reply.is !== "figure") throw new TypeError(`Cannot measure '${name}': it answered '${reply.is}'`);
      return reply.figure;
    },
    close() {
      closed ??= end();
      return closed;
    },
  };

  try {
    const reply = await ask({ do: "setup", module: module.href, options });
    if (reply.is === "ready") pids.push(...reply.pids);
    return worker;
  } catch (error) {
    await worker.close();
    throw error;
  }
}

/** Sends `request`; its reply, or an error when the process ends first. */
function nextReply(child: ChildProcess, name: string, request: WorkerRequest): Promise<WorkerReply> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown) => {
      stopWaiting();
      try {
        resolve(parseReply(message));
      } catch (error) {
        reject(error);
      }
    };
    const onExit = (code: number | null, signal: string | null) => {
      stopWaiting();
      const how = signal ? `signal ${signal}` : `exit code ${code}`;
      reject(new Error(`Cannot measure '${name}': its process ended with ${how}`));
    };
    const onError = (error: Error) => {
      stopWaiting();
      reject(new Error(`Cannot measure '${name}': ${error.message}`));
    };
    function stopWaiting() {
      child.off("message", onMessage);
      child.off("exit", onExit);
      child.off("error", onError);
    }
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.on("error", onError);
    if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
    else child.send(request, () => {});
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nothing is left of the group, or this is Windows, which has none.
    child.kill("SIGKILL");
  }
}
