import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { describeSocketEvent } from "@ipc/core/socket-server";
import { say } from "@ipc/core/terminal";
import { SERVER_DEFAULTS, startServer } from "../src/index.ts";

const defaults = SERVER_DEFAULTS;
const flags = {
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 1, help: "longest message" },
  frameTimeoutMs: { type: "number", default: defaults.frameTimeoutMs, help: "time for a message that has begun" },
  idleTimeoutMs: { type: "number", default: defaults.idleTimeoutMs, help: "time a client may say nothing" },
  maxConnections: { type: "number", default: defaults.maxConnections, min: 1, help: "clients at once" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
} as const;
const summary = "Sends back every message it gets on a Unix socket (unix:/tmp/ipc-pipes.sock).";
const advice = { EADDRINUSE: "End that one, or choose another path" };

await runProgram({ name: "pipes server", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  const server = await startServer({
    ...values,
    url: url ?? "unix:/tmp/ipc-pipes.sock",
    onEvent: (event) => say(describeSocketEvent(event)),
  });
  closeOnSignal(server, values.graceMs + 1_500);
  sayReady("pipes", server.url);
});
