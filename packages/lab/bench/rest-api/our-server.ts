import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { startServer } from "@ipc/rest-api";

const flags = { database: { type: "text", help: "libSQL URL", default: ":memory:" } } as const;

await runProgram({ name: "ours", summary: "The example, without a log.", flags }, async ({ database }) => {
  const server = await startServer({ database, rateLimit: 0 });
  closeOnSignal(server);
  sayReady("ours", server.url);
});
