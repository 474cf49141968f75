/**
 * The baseline: a socket, and one who sends back what comes.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connectTcp } from "@ipc/core/sockets";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad } from "../tcp-echo/load.ts";
import { LINE } from "./line.ts";

/** No options. */
export const setup: VariantSetup = async () => {
  const server = startProgram(new URL("../tcp-echo/raw-server.ts", import.meta.url));
  const socket = await connectTcp(await server.ready);
  const bytes = Buffer.from(`${LINE}\n`);
  let answer = () => {};
  socket.on("data", () => answer());
  const say = () =>
    new Promise<void>((resolve) => {
      answer = resolve;
      socket.write(bytes);
    });
  return {
    pids: [server.pid],
    measure: (request) => measureLoad({ messageBytes: bytes.length, inFlight: 1 }, request, say),
    async close() {
      socket.destroy();
      await server.stop();
    },
  };
};
