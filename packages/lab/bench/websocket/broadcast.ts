/**
 * One server, 200 clients in one process: the same bare clients for every server.
 *
 * @module
 */
import { once } from "node:events";
import { startProgram } from "@ipc/core/child";
import { WebSocket } from "ws";
import type { VariantSetup } from "../../src/bench/variant.ts";

const CLIENTS = 200;
const BURST = 100;

/** `server`: bare, or the protocol that ours is spoken to with. */
export const setup: VariantSetup = async ({ server: kind }) => {
  const protocol = kind === "bare" ? undefined : String(kind);
  const args = ["--kind", protocol ? "ours" : "bare"];
  const server = startProgram(new URL("./broadcast-server.ts", import.meta.url), args);
  const url = await server.ready;
  const isSession = protocol === "ipc.session.v1";
  let received = 0;
  let onAll = () => {};
  function onMessage() {
    if (++received === CLIENTS * BURST) onAll();
  }
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const client = new WebSocket(url, protocol ? [protocol] : [], { perMessageDeflate: false });
      await once(client, "open");
      if (isSession) {
        client.send('{"hello":{"session":null,"last":0}}');
        await once(client, "message");
      }
      client.on("message", onMessage);
      return client;
    }),
  );
  let seq = 0;

  async function measure({ forMs }: { forMs: number }): Promise<number> {
    const start = performance.now();
    let bursts = 0;
    do {
      received = 0;
      const all = new Promise<void>((resolve) => {
        onAll = resolve;
      });
      clients[0]?.send(isSession ? `{"seq":${++seq},"data":${BURST}}` : String(BURST));
      await all;
      bursts++;
    } while (performance.now() - start < forMs);
    return (bursts * BURST * CLIENTS) / ((performance.now() - start) / 1_000);
  }

  return {
    pids: [server.pid],
    measure,
    async close() {
      for (const client of clients) client.terminate();
      await server.stop();
    },
  };
};
