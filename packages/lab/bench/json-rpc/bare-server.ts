/**
 * A fastify that sends back the JSON it gets.
 *
 * @module
 */
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import fastify from "fastify";

await runProgram({ name: "bare fastify", summary: "A baseline of the benchmark.", flags: {} }, async () => {
  const app = fastify();
  app.post("/", (request, reply) => {
    reply.send(request.body);
  });
  closeOnSignal({ close: async () => void (await app.close()) });
  sayReady("bare", await app.listen({ host: "127.0.0.1", port: 0 }));
});
