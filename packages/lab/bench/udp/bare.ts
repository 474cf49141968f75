/**
 * A plain `dgram` echo and a connected socket: no header, no promises, nothing but the system's calls.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { startProgram } from "@ipc/core/child";
import { parseAddress } from "@ipc/core/url";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { medianUs, parseLoad } from "../tcp-echo/load.ts";

/** `messageBytes`. */
export const setup: VariantSetup = async (options) => {
  const { messageBytes } = parseLoad(options);
  const server = startProgram(new URL("./bare-server.ts", import.meta.url));
  const { host, port } = parseAddress(await server.ready, "udp");
  const socket = createSocket("udp4");
  socket.connect(port, host);
  await once(socket, "connect");
  const message = Buffer.alloc(messageBytes, 0x61);
  return {
    pids: [server.pid],
    measure: ({ forMs }) =>
      new Promise((resolve) => {
        const times: number[] = [];
        const end = performance.now() + forMs;
        let from = performance.now();
        function onMessage() {
          const now = performance.now();
          times.push(now - from);
          if (now < end) {
            from = now;
            socket.send(message);
          } else {
            socket.off("message", onMessage);
            resolve(medianUs(times));
          }
        }
        socket.on("message", onMessage).send(message);
      }),
    async close() {
      socket.close();
      await server.stop();
    },
  };
};
