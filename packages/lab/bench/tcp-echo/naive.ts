/**
 * The same frames, each written by itself: what "batching" is worth.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { encodeFrame, lengthFraming } from "@ipc/core/framing";
import { connectTcp } from "@ipc/core/sockets";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { measureLoad, parseLoad } from "./load.ts";

/** `messageBytes`, `inFlight`. */
export const setup: VariantSetup = async (options) => {
  const load = parseLoad(options);
  const server = startProgram(new URL("./naive-server.ts", import.meta.url));
  const socket = await connectTcp(await server.ready);
  const decoder = lengthFraming.createDecoder();
  const message = new Uint8Array(load.messageBytes).fill(0x61);
  let waiting: ((reply: Uint8Array) => void)[] = [];
  socket.on("data", (chunk: Uint8Array) => {
    const replies = decoder.decode(chunk);
    const answered = waiting.splice(0, replies.length);
    for (const [index, reply] of replies.entries()) answered[index]?.(reply);
  });
  return {
    pids: [server.pid],
    measure: (request) =>
      measureLoad(
        load,
        request,
        () =>
          new Promise((resolve) => {
            waiting.push(resolve);
            socket.write(encodeFrame(lengthFraming, message));
          }),
      ),
    async close() {
      waiting = [];
      socket.destroy();
      await server.stop();
    },
  };
};
