/**
 * The example's server and client.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connect } from "@ipc/zmq";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad, parseLoad } from "../tcp-echo/load.ts";

/** `messageBytes`, with one in flight. */
export const setup: VariantSetup = async (options) => {
  const load = parseLoad(options);
  const server = startProgram(new URL("./echo-server.ts", import.meta.url));
  const client = await connect(await server.ready);
  const message = new Uint8Array(load.messageBytes).fill(0x61);
  return {
    pids: [server.pid],
    measure: (request) => measureLoad(load, request, () => client.request(message)),
    async close() {
      await client.close();
      await server.stop();
    },
  };
};
