import { once } from "node:events";
import { paint, say } from "@ipc/core/terminal";
import { type Ring, startThread } from "../../src/index.ts";

/** How a thread of this folder is run. */
interface ThreadOptions {
  /** What it gets as `workerData`. */
  data: Record<string, unknown>;
  /** In front of its lines. @default its file's name */
  label?: string;
  /** Told when it ends. */
  ring?: Ring;
  /** Ends it at once. */
  signal?: AbortSignal;
}

/** Runs a thread, prints the lines that it posts, and resolves when it has ended. Rejects with what it threw. */
export async function runThread(file: string, { data, label = file, ring, signal }: ThreadOptions): Promise<void> {
  const thread = startThread(new URL(`./${file}.ts`, import.meta.url), data);
  ring?.watch(thread);
  thread.on("message", (line) => say(`${paint("cyan", `${label} │`)} ${line}`));
  signal?.addEventListener("abort", () => void thread.terminate());
  await once(thread, "exit").catch((error) => {
    // Told to stop before it had begun.
    if (error.code === "EPIPE") return;
    // Its code would be taken for one of a network's errors, with advice that does not fit.
    throw new Error(`${file}: ${error.message}`, { cause: error });
  });
}
