/**
 * jayson's own HTTP server and client.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import jayson from "jayson/promise/index.js";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { callsPerSecond, PARAMS } from "./load.ts";

/** No options. */
export const setup: VariantSetup = async () => {
  const server = startProgram(new URL("./jayson-server.ts", import.meta.url));
  const { hostname, port } = new URL(await server.ready);
  const client = jayson.Client.http({ hostname, port });
  return {
    pids: [server.pid],
    measure: ({ forMs }) => callsPerSecond(forMs, () => client.request("subtract", PARAMS)),
    async close() {
      await server.stop();
    },
  };
};
