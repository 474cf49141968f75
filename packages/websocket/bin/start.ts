import { runPair } from "@ipc/core/child";
import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { describeServerEvent, startServer } from "../src/index.ts";

const flags = {
  once: { type: "switch", help: "client first, then server first; ends by itself" },
  port: { type: "number", default: PORTS.websocket, max: 65_535, help: "port of the page; 0: a free one" },
} as const;
const summary = "Serves the page until Ctrl-C; --once runs servers and clients.";

function runBoth(first: "client" | "server") {
  const member = (role: string) => ({ role, file: new URL(`${role}.ts`, import.meta.url), args: ["--first", first] });
  return runPair(member("server"), member("client"));
}

await runProgram({ name: "websocket start", summary, flags }, async ({ once, port }) => {
  if (once) {
    const stopped = new AbortController();
    process.once("SIGINT", () => stopped.abort()).once("SIGTERM", () => stopped.abort());
    await runBoth("client");
    return stopped.signal.aborted ? undefined : await runBoth("server");
  }
  const server = await startServer({ port, onEvent: (event) => say(describeServerEvent(event)) });
  closeOnSignal(server);
  sayReady("websocket", server.url);
  say(`open ${server.url.replace("ws:", "http:")}; Ctrl-C ends it`);
});
