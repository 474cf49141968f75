import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { Reply } from "zeromq";

await runProgram({ name: "bare", summary: "A baseline of the benchmark.", flags: {} }, async () => {
  const socket = new Reply({ linger: 0 });
  await socket.bind("tcp://127.0.0.1:*");
  closeOnSignal({ close: async () => socket.close() });
  sayReady("bare", socket.lastEndpoint ?? "");
  for await (const [request = ""] of socket) await socket.send(request);
});
