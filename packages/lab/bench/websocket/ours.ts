/**
 * The example as it is: its server program and its client.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connect, type Protocol } from "@ipc/websocket";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { createMeter, messageOf } from "./load.ts";

/** `messageBytes`, `inFlight`, `protocol`. */
export const setup: VariantSetup = async ({ messageBytes, inFlight, protocol }) => {
  const server = startProgram(new URL("../../../websocket/bin/server.ts", import.meta.url), ["--port", "0"]);
  const client = await connect(await server.ready, { protocol: protocol as Protocol });
  const message = messageOf(Number(messageBytes), 0);

  async function measure({ forMs }: { forMs: number }): Promise<number> {
    const meter = createMeter(forMs, Number(inFlight));
    for (let sent = 0; sent < Number(inFlight); sent++) client.send(message);
    let left = Number(inFlight);
    for await (const _answer of client) {
      if (meter.onAnswer()) client.send(message);
      else if (--left === 0) break;
    }
    return await meter.figure;
  }

  return {
    pids: [server.pid],
    measure,
    async close() {
      await client.close();
      await server.stop();
    },
  };
};
