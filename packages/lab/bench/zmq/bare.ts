/**
 * A REQ and a REP socket, as in every tutorial: nothing but zeromq.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { Request } from "zeromq";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad, parseLoad } from "../tcp-echo/load.ts";

/** `messageBytes`, with one in flight. */
export const setup: VariantSetup = async (options) => {
  const load = parseLoad(options);
  const server = startProgram(new URL("./bare-server.ts", import.meta.url));
  const socket = new Request({ linger: 0 });
  socket.connect(await server.ready);
  const message = new Uint8Array(load.messageBytes).fill(0x61);
  return {
    pids: [server.pid],
    measure: (request) =>
      measureLoad(load, request, async () => {
        await socket.send(message);
        await socket.receive();
      }),
    async close() {
      socket.close();
      await server.stop();
    },
  };
};
