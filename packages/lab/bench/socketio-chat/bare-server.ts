/** Socket.IO as its tutorial has it: what one says goes to everybody. */
import { once } from "node:events";
import { createServer } from "node:http";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { Server } from "socket.io";

await runProgram({ name: "bare chat", summary: "A part of the benchmark.", flags: {} }, async () => {
  const http = createServer();
  const io = new Server(http);
  io.on("connection", (socket) => {
    socket.on("say", (message) => io.emit("message", message));
  });
  http.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 });
  await once(http, "listening");
  const address = http.address();
  closeOnSignal({ close: () => io.close() });
  sayReady("bare chat", `http://127.0.0.1:${typeof address === "object" && address?.port}`);
});
