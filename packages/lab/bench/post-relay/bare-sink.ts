import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { fastify } from "fastify";

await runProgram({ name: "bare sink", summary: "A baseline of the benchmark.", flags: {} }, async () => {
  const app = fastify({ forceCloseConnections: true });
  app.post("/", () => ({ recorded: "2026-11-21T12:00:00.000Z" }));
  closeOnSignal(app);
  sayReady("bare sink", await app.listen({ host: "127.0.0.1", port: 0 }));
});
