/**
 * A listener who says every line again.
 *
 * @module
 */
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { startServer } from "@ipc/tcp-talk";

await runProgram({ name: "parrot", summary: "Says every line again.", flags: {} }, async () => {
  const server = await startServer({
    async handler(talk) {
      for await (const line of talk) await talk.send(line);
    },
  });
  closeOnSignal(server);
  sayReady("parrot", server.url);
});
