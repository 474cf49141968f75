import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { startServer } from "@ipc/udp";

await runProgram(
  { name: "reliable", summary: "The reliable layer's server, for the benchmark.", flags: {} },
  async () => {
    const server = await startServer();
    closeOnSignal(server);
    sayReady("reliable", server.url);
  },
);
