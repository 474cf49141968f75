/**
 * A driver, a relay and a final peer, each a process of its own: what both variants are measured on.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connect } from "@ipc/tcp-relay";
import type { VariantSetup } from "../../src/bench/variant.ts";

/** `messageBytes`: of the body's JSON. `inFlight`: how many wait for their answer at once. */
export const setup: VariantSetup = async ({ messageBytes, inFlight }) => {
  const final = startProgram(new URL("./quiet-peer.ts", import.meta.url));
  const relay = startProgram(new URL("./quiet-peer.ts", import.meta.url), ["--next", await final.ready]);
  const client = await connect(await relay.ready, { name: "driver" });
  // Two of its bytes are the quotes.
  const body = "a".repeat(Number(messageBytes) - 2);

  /** Messages that the final peer has accepted, a second. */
  async function measure({ forMs }: { forMs: number }): Promise<number> {
    let isOver = false;
    let accepted = 0;
    const timer = setTimeout(() => {
      isOver = true;
    }, forMs);
    const start = performance.now();
    async function sendOneByOne() {
      while (!isOver) {
        await client.send(body);
        accepted++;
      }
    }
    await Promise.all(Array.from({ length: Number(inFlight) }, sendOneByOne));
    clearTimeout(timer);
    return accepted / ((performance.now() - start) / 1_000);
  }

  return {
    pids: [relay.pid, final.pid],
    measure,
    async close() {
      await client.close();
      await relay.stop();
      await final.stop();
    },
  };
};
