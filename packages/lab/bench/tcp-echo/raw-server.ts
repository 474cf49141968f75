import { runBareServer } from "./bare-server.ts";

// As everywhere: what `write` returns is ignored, so a client that never reads fills the memory.
await runBareServer("raw", (socket) => {
  socket.on("data", (chunk) => socket.write(chunk));
});
