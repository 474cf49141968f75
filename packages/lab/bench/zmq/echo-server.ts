import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { startServer } from "@ipc/zmq";

await runProgram({ name: "echo", summary: "The example's server, sends back what it gets.", flags: {} }, async () => {
  const server = await startServer({ handler: (request) => request });
  closeOnSignal(server);
  sayReady("echo", server.url);
});
