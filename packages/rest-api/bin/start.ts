import { runPair } from "@ipc/core/child";
import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { describeEvent, startServer } from "../src/index.ts";

const flags = {
  once: { type: "switch", help: "runs a client against it and ends by itself" },
  port: { type: "number", default: PORTS["rest-api"], max: 65_535, help: "port of the page; 0: a free one" },
} as const;
const summary = "Serves the page until Ctrl-C; --once runs a server and a client.";

await runProgram({ name: "rest-api start", summary, flags }, async ({ once, port }) => {
  if (once) {
    const server = { role: "server", file: new URL("server.ts", import.meta.url), args: ["--database", ":memory:"] };
    return runPair(server, { role: "client", file: new URL("client.ts", import.meta.url) });
  }
  const database = process.env["DATABASE_URL"];
  const server = await startServer({ port, database, onEvent: (event) => say(describeEvent(event)) });
  closeOnSignal(server);
  sayReady("rest-api", server.url);
  say(`open ${server.url} in two windows; docs: /docs; Ctrl-C ends it`);
});
