/**
 * A message there and back over two rings. Only threads may block: one of them measures.
 *
 * @module
 */
import { createRing, startThread } from "@ipc/shared-memory";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { nextMessage } from "./next-message.ts";

/** No options. */
export const setup: VariantSetup = async () => {
  const data = { there: createRing().memory, back: createRing().memory };
  const echo = startThread(new URL("./ring-echo-thread.ts", import.meta.url), { ...data, isEcho: true });
  const asker = startThread(new URL("./ring-echo-thread.ts", import.meta.url), { ...data, isEcho: false });
  await nextMessage(asker);
  return {
    async measure({ forMs }) {
      const measured = nextMessage(asker);
      asker.postMessage(forMs);
      return Number(await measured);
    },
    async close() {
      await Promise.all([asker.terminate(), echo.terminate()]);
    },
  };
};
