/**
 * One server, 1,000 clients in one process: the same bare WebSockets for both servers, which count what comes.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type Child, startProgram } from "@ipc/core/child";
import { WebSocket } from "ws";
import type { VariantSetup } from "../../src/bench/variant.ts";

const CLIENTS = 1_000;
const BURST = 50;
const TEXT = "a".repeat(64);

/** `server`: bare or ours. */
export const setup: VariantSetup = async ({ server: kind }) => {
  const isOurs = kind === "ours";
  const server = isOurs ? startOurs() : startProgram(new URL("./bare-server.ts", import.meta.url));
  const url = `${(await server.ready).replace("http:", "ws:")}/socket.io/?EIO=4&transport=websocket`;
  let received = 0;
  let onAll = () => {};
  const count = () => {
    if (++received === CLIENTS * BURST) onAll();
  };
  const clients: WebSocket[] = [];
  for (let index = 0; index < CLIENTS; index++) clients.push(await open(url, isOurs && `client-${index}`, count));
  // Everybody has been told of everybody.
  await new Promise((resolve) => setTimeout(resolve, 1_000));

  async function measure({ forMs }: { forMs: number }): Promise<number> {
    const start = performance.now();
    let bursts = 0;
    do {
      received = 0;
      const all = new Promise<void>((resolve) => {
        onAll = resolve;
      });
      for (let index = 0; index < BURST; index++) {
        const say = JSON.stringify(["say", { id: randomUUID(), text: TEXT }]);
        // Ours is asked for an answer as well.
        clients[0]?.send(isOurs ? `42${index}${say}` : `42${say}`);
      }
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

/** The program itself, and no limit for who sends the bursts. */
function startOurs(): Child {
  const program = new URL("../bin/server.ts", import.meta.resolve("@ipc/socketio-chat"));
  return startProgram(program, ["--port", "0", "--max-events-per-second", "1000000"], { env: { REDIS_URL: "" } });
}

/** Engine.IO's protocol 4 by hand: 0 open, 2 ping, 3 pong, 4 message; Socket.IO's 0 connect, 2 event, 3 ack. */
async function open(url: string, name: string | false, count: () => void): Promise<WebSocket> {
  const client = new WebSocket(url, { perMessageDeflate: false });
  await once(client, "message");
  client.send("40");
  await once(client, "message");
  let onJoined = () => {};
  client.on("message", (data: Buffer) => {
    if (data[0] === PING) client.send("3");
    else if (data[1] === ACK) onJoined();
    // 42["message",…]
    else if (data[4] === MESSAGE) count();
  });
  if (name !== false) {
    const joined = new Promise<void>((resolve) => {
      onJoined = resolve;
    });
    client.send(`42999${JSON.stringify(["join", { room: "lobby", name }])}`);
    await joined;
  }
  return client;
}

const PING = 0x32;
const ACK = 0x33;
const MESSAGE = 0x6d;
