/**
 * The example as it is: its receiver program, and pings of its sender.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { openSender } from "@ipc/udp";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad, parseLoad } from "../tcp-echo/load.ts";

/** `messageBytes`. */
export const setup: VariantSetup = async (options) => {
  const load = parseLoad(options);
  const receiver = startProgram(new URL("../../../udp/bin/receiver.ts", import.meta.url), ["--port", "0"]);
  const sender = await openSender(await receiver.ready);
  const message = new Uint8Array(load.messageBytes).fill(0x61);
  return {
    pids: [receiver.pid],
    measure: (request) => measureLoad(load, request, () => sender.ping(message)),
    async close() {
      await sender.close();
      await receiver.stop();
    },
  };
};
