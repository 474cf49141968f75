import { closeOnSignal, runProgram } from "@ipc/core/process";
import { createRing, createUnbounded, UNBOUNDED_DEFAULTS } from "../src/index.ts";
import { runThread } from "./threads/run-thread.ts";

const { maxBytes } = UNBOUNDED_DEFAULTS;
const flags = {
  maxBytes: { type: "number", default: maxBytes, min: 2 ** 21, max: 2 ** 28, help: "where growing ends after all" },
} as const;
const summary = "Lets a buffer without a bound grow, then shows the ring instead.";

await runProgram({ name: "shared-memory unbounded", summary, flags }, async ({ maxBytes }) => {
  const stop = new AbortController();
  closeOnSignal({ close: async () => stop.abort() });
  const run = async (label: string, data: Record<string, unknown>) => {
    if (stop.signal.aborted) return;
    const options = { data, label, signal: stop.signal };
    await Promise.all([runThread("flood", options), runThread("sip", options)]);
  };
  await run("unbounded", { unbounded: createUnbounded({ maxBytes }) });
  // As many as went into the other: 1 KiB each, and 4 bytes for its length.
  await run("ring     ", { ring: createRing().memory, messages: Math.floor(maxBytes / 1_028) });
});
