/**
 * The example as it is: a thread that writes, or two, and one that reads.
 *
 * @module
 */
import { createRing, startThread } from "@ipc/shared-memory";
import { type VariantSetup, wrongResult } from "../../src/bench/variant.ts";
import { nextMessage } from "./next-message.ts";

/** `messageBytes`, `writers`, `ringBytes`. */
export const setup: VariantSetup = async ({ messageBytes, writers = 1, ringBytes = 65_536 }) => {
  const count = Number(writers);
  const { memory } = createRing({ writers: count, ringBytes: Number(ringBytes) });
  const reader = startThread(new URL("./ring-reader.ts", import.meta.url), { memory, writers: count });
  const threads = Array.from({ length: count }, () =>
    startThread(new URL("./ring-writer.ts", import.meta.url), { memory, messageBytes }),
  );
  await Promise.all(threads.map(nextMessage));
  return {
    async measure({ forMs }) {
      const start = performance.now();
      const counted = nextMessage(reader);
      const sent = await Promise.all(threads.map((thread) => writeFor(thread, forMs)));
      const read = await counted;
      const seconds = (performance.now() - start) / 1_000;
      const written = sent.reduce((sum, one) => sum + one, 0);
      if (read !== written) throw wrongResult(`${read} of ${written} came`);
      return written / seconds;
    },
    async close() {
      await Promise.all([reader, ...threads].map((thread) => thread.terminate()));
    },
  };
};

async function writeFor(thread: Parameters<typeof nextMessage>[0], forMs: number): Promise<number> {
  const written = nextMessage(thread);
  thread.postMessage(forMs);
  return Number(await written);
}
