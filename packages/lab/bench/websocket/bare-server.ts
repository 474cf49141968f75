/** `ws` as its README has it: returns what comes. */
import { once } from "node:events";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { WebSocketServer } from "ws";

const flags = { deflate: { type: "switch", help: "compresses every message" } } as const;

await runProgram({ name: "bare ws", summary: "A baseline of the benchmark.", flags }, async ({ deflate }) => {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: deflate ? { threshold: 0 } : false,
  });
  server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
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
  sayReady("bare ws", `ws://127.0.0.1:${typeof address === "object" && address?.port}`);
});
