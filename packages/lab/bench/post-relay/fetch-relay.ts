// A relay as it is written first: what came is posted on with the global fetch.
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { fastify } from "fastify";

await runProgram(
  { name: "fetch relay", summary: "A baseline of the benchmark.", args: ["sink", "…"], flags: {} },
  async (_values, [sink = ""]) => {
    const app = fastify({ forceCloseConnections: true });
    app.post("/", async (request, reply) => {
      const response = await fetch(sink, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "idempotency-key": String(request.headers["idempotency-key"]),
        },
        body: JSON.stringify(request.body),
      });
      reply.code(response.status);
      return await response.json();
    });
    closeOnSignal(app);
    sayReady("fetch relay", await app.listen({ host: "127.0.0.1", port: 0 }));
  },
);
