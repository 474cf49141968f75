import { fork } from "node:child_process";
import { once } from "node:events";

/**
 * Node's own channel to a child, for comparison: no frames to think of, but Node programs only, and neither a limit nor
 * backpressure.
 *
 * @param file A Node program that calls {@link answerFork}.
 */
export function startFork(file: string | URL) {
  const child = fork(file, { serialization: "advanced" });
  const waiting: { resolve(reply: unknown): void; reject(error: Error): void }[] = [];
  child.on("message", (reply) => waiting.shift()?.resolve(reply));
  const ended = once(child, "exit").finally(() => {
    for (const { reject } of waiting.splice(0)) reject(new Error("Cannot get reply from child: it ended"));
  });
  return {
    pid: child.pid,
    /** Sends whatever can be cloned; resolves with the reply. */
    request: (message: NodeJS.ArrayBufferView) =>
      new Promise<unknown>((resolve, reject) => {
        // First, since it throws for what cannot be cloned: the next reply is not for that.
        child.send(message, (error) => error && reject(error));
        waiting.push({ resolve, reject });
      }),
    /** Lets the child end by itself. */
    async close(): Promise<void> {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

/** The child's side: answers every message, until the parent disconnects or is gone. */
export function answerFork(handler: (message: unknown) => unknown): void {
  process.on("message", (message) => process.send?.(handler(message)));
}
