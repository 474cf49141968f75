/**
 * A plain `net` echo and a client that counts bytes: nothing but the system's calls, over either kind of socket.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connectTcp, connectUnix } from "@ipc/core/sockets";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { medianUs, parseLoad } from "../tcp-echo/load.ts";
import { makeFolder } from "./folder.ts";

/** `messageBytes`; `url`: `tcp:` or `unix:`. */
export const setup: VariantSetup = async (options) => {
  const { messageBytes } = parseLoad(options);
  const isUnix = options["url"] === "unix:";
  const { folder, remove } = await makeFolder();
  const server = startProgram(new URL("./bare-server.ts", import.meta.url), isUnix ? [`${folder}/echo.sock`] : []);
  const socket = await (isUnix ? connectUnix : connectTcp)(await server.ready);
  const message = Buffer.alloc(messageBytes, 0x61);
  return {
    pids: [server.pid],
    measure: ({ forMs }) =>
      new Promise((resolve) => {
        const times: number[] = [];
        const end = performance.now() + forMs;
        let receivedBytes = 0;
        let from = performance.now();
        function onData(chunk: Uint8Array) {
          receivedBytes += chunk.length;
          if (receivedBytes % messageBytes !== 0) return;
          const now = performance.now();
          times.push(now - from);
          if (now < end) {
            from = now;
            socket.write(message);
          } else {
            socket.off("data", onData);
            resolve(medianUs(times));
          }
        }
        socket.on("data", onData).write(message);
      }),
    async close() {
      socket.destroy();
      await server.stop();
      await remove();
    },
  };
};
