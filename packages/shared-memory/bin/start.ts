import { closeOnSignal, runProgram } from "@ipc/core/process";
import { createRing, MEMORY_DEFAULTS, RING_DEFAULTS, WRITER_DEFAULTS } from "../src/index.ts";
import { runThread } from "./threads/run-thread.ts";

const flags = {
  messages: { type: "number", default: 100_000, help: "how many to send" },
  ringBytes: { type: "number", default: MEMORY_DEFAULTS.ringBytes, help: "size of the ring; a power of two" },
  restMs: { type: "number", default: 300, help: "how long the consumer rests, so that the ring fills" },
  timeoutMs: { type: "number", default: WRITER_DEFAULTS.timeoutMs, help: "time the producer waits for room" },
  graceMs: { type: "number", default: RING_DEFAULTS.graceMs, help: "time to finish when told to stop" },
  once: { type: "switch", help: "accepted by every start; this one always ends by itself" },
} as const;
const summary = "Runs a producer and a consumer as two threads with a ring between them.";

await runProgram({ name: "shared-memory start", summary, flags }, async (values) => {
  const ring = createRing(values);
  closeOnSignal(ring, values.graceMs + 1_500);
  const data = { ...values, memory: ring.memory };
  await Promise.all([runThread("producer", { data, ring }), runThread("consumer", { data, ring })]);
  await ring.close();
});
