/**
 * What a program does that knows nothing else: `worker.postMessage(message)`, one by one or many packed into one.
 *
 * @module
 */
import { startThread } from "@ipc/shared-memory";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { nextMessage } from "./next-message.ts";

/** `messageBytes`; `packed`: how many in one, 0 for none. */
export const setup: VariantSetup = ({ messageBytes, packed = 0 }) => {
  const worker = startThread(new URL("./post-reader.ts", import.meta.url), { messageBytes, packed });
  const message = new Uint8Array(Number(messageBytes)).fill(0x61);
  const post = packed === 0 ? postEach : postPacked;
  return {
    async measure({ forMs }) {
      const start = performance.now();
      const sent = post((posted) => worker.postMessage(posted), message, forMs, Number(packed));
      const counted = nextMessage(worker);
      worker.postMessage("end");
      const count = await counted;
      if (count !== sent) throw new Error(`${count} of ${sent} came`);
      return sent / ((performance.now() - start) / 1_000);
    },
    async close() {
      await worker.terminate();
    },
  };
};

/** Half of the time: what is queued by then takes the reader about as long again. */
function postEach(post: (message: Uint8Array) => void, message: Uint8Array, forMs: number): number {
  const end = performance.now() + forMs / 2;
  let sent = 0;
  for (; performance.now() < end; sent += 64) for (let i = 0; i < 64; i++) post(message);
  return sent;
}

function postPacked(post: (pack: Uint8Array) => void, message: Uint8Array, forMs: number, packed: number): number {
  const end = performance.now() + forMs / 2;
  const pack = new Uint8Array(packed * message.length);
  let sent = 0;
  for (; performance.now() < end; sent += packed) {
    for (let i = 0; i < packed; i++) pack.set(message, i * message.length);
    post(pack);
  }
  return sent;
}
