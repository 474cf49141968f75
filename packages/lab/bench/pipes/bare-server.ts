import { once } from "node:events";
import { createServer } from "node:net";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";

const program = { name: "bare", summary: "A baseline of the benchmark.", args: ["path"], flags: {} };

await runProgram(program, async (_flags, [path]) => {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {}).on("data", (chunk) => socket.write(chunk));
  });
  server.listen(path ?? { host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = server.address();
  closeOnSignal({ close: () => new Promise<void>((resolve) => server.close(() => resolve())) });
  sayReady("bare", typeof address === "object" ? `tcp://127.0.0.1:${address?.port}` : `unix:${address}`);
});
