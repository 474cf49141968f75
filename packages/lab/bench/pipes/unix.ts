/**
 * The example as it is: its server program and its client.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connect } from "@ipc/pipes";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad, parseLoad } from "../tcp-echo/load.ts";
import { makeFolder, pipesBin } from "./folder.ts";

/** `messageBytes`, `inFlight`. */
export const setup: VariantSetup = async (options) => {
  const load = parseLoad(options);
  const { folder, remove } = await makeFolder();
  const server = startProgram(pipesBin("server"), [`unix:${folder}/echo.sock`]);
  const client = await connect(await server.ready);
  const message = new Uint8Array(load.messageBytes).fill(0x61);
  return {
    pids: [server.pid],
    measure: (request) => measureLoad(load, request, () => client.request(message)),
    async close() {
      await client.close();
      await server.stop();
      await remove();
    },
  };
};
