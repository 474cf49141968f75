/**
 * The least that one message a round trip can cost here: plain sockets between three processes, nothing parsed.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connectTcp } from "@ipc/core/sockets";
import type { VariantSetup } from "../../src/bench/variant.ts";

/** `messageBytes`. */
export const setup: VariantSetup = async ({ messageBytes }) => {
  const final = startProgram(new URL("./bare-peer.ts", import.meta.url));
  const relay = startProgram(new URL("./bare-peer.ts", import.meta.url), ["--next", await final.ready]);
  const socket = await connectTcp(await relay.ready);
  const message = Buffer.alloc(Number(messageBytes), 0x61);

  /** Messages a second, each sent when the one before has its answer. */
  function measure({ forMs }: { forMs: number }): Promise<number> {
    return new Promise((resolve) => {
      let answered = 0;
      const start = performance.now();
      function onAnswer() {
        answered++;
        const elapsedMs = performance.now() - start;
        if (elapsedMs < forMs) return void socket.write(message);
        socket.off("data", onAnswer);
        resolve(answered / (elapsedMs / 1_000));
      }
      socket.on("data", onAnswer).write(message);
    });
  }

  return {
    pids: [relay.pid, final.pid],
    measure,
    async close() {
      socket.destroy();
      await relay.stop();
      await final.stop();
    },
  };
};
