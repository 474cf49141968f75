import { startProgram } from "@ipc/core/child";
import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say, warn } from "@ipc/core/terminal";
import { describeServerEvent, playScene, startServer } from "../src/index.ts";

const flags = {
  once: { type: "switch", help: "two terminal clients talk, then it ends" },
  port: { type: "number", default: PORTS["socketio-chat"], max: 65_535, help: "port of the page; 0: a free one" },
} as const;
const summary = "Serves the page until Ctrl-C; --once runs two terminal clients.";

function start(role: string, program: string, ...args: string[]) {
  const onLine = (line: string, from: string) => (from === "stdout" ? say : warn)(`${role} │ ${line}`);
  const child = startProgram(new URL(`${program}.ts`, import.meta.url), args, { onLine, env: { REDIS_URL: "" } });
  // On a terminal Ctrl-C reaches it by itself, and a second signal would cut it off.
  process.once("SIGTERM", () => child.stop()).once("SIGINT", () => process.stdin.isTTY || child.stop());
  void child.exited.then(({ code }) => (process.exitCode ||= code ?? 0));
  return child;
}

await runProgram({ name: "socketio-chat start", summary, flags }, async ({ once, port }) => {
  if (once) return await playScene(start, say);
  const redisUrl = process.env["REDIS_URL"];
  const server = await startServer({ port, redisUrl, onEvent: (event) => say(describeServerEvent(event)) });
  closeOnSignal(server);
  sayReady("socketio-chat", server.url);
  say(`open ${server.url} in two windows; Ctrl-C ends it`);
});
