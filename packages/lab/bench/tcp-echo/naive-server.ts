import { encodeFrame, lengthFraming } from "@ipc/core/framing";
import { runBareServer } from "./bare-server.ts";

await runBareServer("naive", (socket) => {
  const decoder = lengthFraming.createDecoder();
  socket.on("data", (chunk: Uint8Array) => {
    for (const message of decoder.decode(chunk)) socket.write(encodeFrame(lengthFraming, message));
  });
});
