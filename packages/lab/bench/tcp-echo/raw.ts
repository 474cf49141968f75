/**
 * A plain `net` echo and a client that counts bytes: no messages, no promises, nothing but the system's calls.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connectTcp } from "@ipc/core/sockets";
import type { VariantSetup } from "../../src/bench/variant.ts";
import { medianUs, parseLoad } from "./load.ts";

/** `messageBytes`, `inFlight`. */
export const setup: VariantSetup = async (options) => {
  const { messageBytes, inFlight } = parseLoad(options);
  const server = startProgram(new URL("./raw-server.ts", import.meta.url));
  const socket = await connectTcp(await server.ready);
  const message = Buffer.alloc(messageBytes, 0x61);

  /** Median round trip in µs. */
  function roundTrips(forMs: number): Promise<number> {
    return new Promise((resolve) => {
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
    });
  }

  /** Messages a second: what comes back is sent again, so as many bytes as at first are always on their way. */
  function messagesPerSecond(forMs: number): Promise<number> {
    return new Promise((resolve) => {
      let receivedBytes = 0;
      let owedBytes = messageBytes * inFlight;
      const start = performance.now();
      function onData(chunk: Uint8Array) {
        receivedBytes += chunk.length;
        if (performance.now() - start < forMs) {
          socket.write(chunk);
          return;
        }
        owedBytes -= chunk.length;
        if (owedBytes > 0) return;
        socket.off("data", onData);
        resolve(receivedBytes / messageBytes / ((performance.now() - start) / 1_000));
      }
      socket.on("data", onData).write(Buffer.alloc(owedBytes, 0x61));
    });
  }

  return {
    pids: [server.pid],
    measure: ({ forMs }) => (inFlight === 1 ? roundTrips(forMs) : messagesPerSecond(forMs)),
    async close() {
      socket.destroy();
      await server.stop();
    },
  };
};
