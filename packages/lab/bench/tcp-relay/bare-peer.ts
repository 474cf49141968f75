/** Passes bytes on and answers back; without a next peer it answers each piece with one byte. */
import { once } from "node:events";
import { createServer } from "node:net";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { connectTcp } from "@ipc/core/sockets";

const flags = { next: { type: "text", help: "URL of the next peer" } } as const;
const ANSWER = Uint8Array.of(1);

await runProgram({ name: "bare peer", summary: "A baseline of the benchmark.", flags }, async ({ next }) => {
  const link = next === undefined ? undefined : await connectTcp(next);
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    if (!link) return void socket.on("data", () => socket.write(ANSWER));
    socket.on("data", (chunk) => link.write(chunk));
    link.on("data", (chunk) => socket.write(chunk));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  closeOnSignal({
    async close() {
      link?.destroy();
      server.close();
      await once(server, "close");
    },
  });
  sayReady("bare peer", `tcp://127.0.0.1:${typeof address === "object" && address?.port}`);
});
