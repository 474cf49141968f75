/**
 * `ws` at both ends, nothing in between.
 *
 * @module
 */
import { once } from "node:events";
import { startProgram } from "@ipc/core/child";
import { WebSocket } from "ws";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { createMeter, messageOf } from "./load.ts";

/** `messageBytes` or `list`, `inFlight`, `deflate`. */
export const setup: VariantSetup = async ({ messageBytes, list = 0, inFlight, deflate = false }) => {
  const server = startProgram(new URL("./bare-server.ts", import.meta.url), deflate ? ["--deflate"] : []);
  const client = new WebSocket(await server.ready, { perMessageDeflate: deflate ? { threshold: 0 } : false });
  await once(client, "open");
  const text = JSON.stringify(messageOf(Number(messageBytes), Number(list)));

  function measure({ forMs }: { forMs: number }): Promise<number> {
    const meter = createMeter(forMs, Number(inFlight));
    client.removeAllListeners("message");
    client.on("message", () => {
      if (meter.onAnswer()) client.send(text);
    });
    for (let sent = 0; sent < Number(inFlight); sent++) client.send(text);
    return meter.figure;
  }

  return {
    pids: [server.pid],
    measure,
    async close() {
      client.terminate();
      await server.stop();
    },
  };
};
