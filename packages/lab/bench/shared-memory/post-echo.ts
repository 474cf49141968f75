/**
 * A message there and back by `postMessage`.
 *
 * @module
 */
import { startThread } from "@ipc/shared-memory";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad } from "../tcp-echo/load.ts";

/** No options. */
export const setup: VariantSetup = () => {
  const worker = startThread(new URL("./post-echo-thread.ts", import.meta.url), undefined);
  const message = new Uint8Array(64).fill(0x61);
  let answer = (_message: unknown) => {};
  worker.on("message", (reply) => answer(reply));
  return {
    measure: (request) =>
      measureLoad(
        { messageBytes: 64, inFlight: 1 },
        request,
        () =>
          new Promise((resolve) => {
            answer = resolve;
            worker.postMessage(message);
          }),
      ),
    async close() {
      await worker.terminate();
    },
  };
};
