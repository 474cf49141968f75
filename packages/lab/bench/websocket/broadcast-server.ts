/** Sends bursts to everybody: `{"burst":n}` of anybody starts one when all have said that they have the last. */
import { once } from "node:events";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { startServer } from "@ipc/websocket";
import { WebSocketServer } from "ws";

const flags = {
  kind: { type: "text", choices: ["bare", "ours"], default: "ours", help: "whose broadcast" },
} as const;

/** A burst in one turn, as when a tick of a market or a game has come. */
function burst(count: number, send: (message: unknown) => void) {
  for (let index = 0; index < count; index++) send("a".repeat(62));
}

await runProgram({ name: "broadcast", summary: "A part of the benchmark.", flags }, async ({ kind }) => {
  if (kind === "ours") {
    const server = await startServer({
      handler: (message) => {
        burst(Number(message), server.broadcast);
      },
    });
    closeOnSignal(server);
    return sayReady("broadcast", server.url);
  }
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  server.on("connection", (socket) => {
    socket.on("message", (data) => {
      burst(Number(data.toString()), (message) => {
        const text = JSON.stringify(message);
        for (const client of server.clients) client.send(text);
      });
    });
  });
  await once(server, "listening");
  const address = server.address();
  closeOnSignal({
    async close() {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, "close");
    },
  });
  sayReady("broadcast", `ws://127.0.0.1:${typeof address === "object" && address?.port}`);
});
