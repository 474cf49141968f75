/**
 * fastify and undici with nothing in between: what comes goes back.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { Pool } from "undici";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { callsPerSecond, PARAMS } from "./load.ts";

/** No options. */
export const setup: VariantSetup = async () => {
  const server = startProgram(new URL("./bare-server.ts", import.meta.url));
  const pool = new Pool(await server.ready, { connections: 50 });
  const headers = { "content-type": "application/json" };

  async function request() {
    const body = JSON.stringify({ jsonrpc: "2.0", method: "subtract", params: PARAMS, id: 1 });
    const response = await pool.request({ method: "POST", path: "/", headers, body });
    return await response.body.json();
  }

  return {
    pids: [server.pid],
    measure: ({ forMs }) => callsPerSecond(forMs, request),
    async close() {
      await pool.close();
      await server.stop();
    },
  };
};
