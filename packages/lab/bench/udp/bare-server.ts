import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";

// As everywhere: what comes goes back, whoever sent it, whatever it is. Two of these can be made to talk for ever.
await runProgram({ name: "bare", summary: "A baseline of the benchmark.", flags: {} }, async () => {
  const socket = createSocket("udp4");
  socket.on("message", (message, { port, address }) => socket.send(message, port, address));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  closeOnSignal({ close: () => new Promise<void>((resolve) => socket.close(() => resolve())) });
  sayReady("bare", `udp://127.0.0.1:${socket.address().port}`);
});
