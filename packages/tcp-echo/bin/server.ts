import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { describeTcpEvent } from "@ipc/core/tcp-server";
import { say } from "@ipc/core/terminal";
import { SERVER_DEFAULTS, startServer } from "../src/index.ts";

const defaults = SERVER_DEFAULTS;
const flags = {
  host: { type: "text", default: defaults.host, help: "address to listen on; 0.0.0.0 for a network" },
  port: { type: "number", default: PORTS["tcp-echo"], max: 65_535, help: "port to listen on; 0 takes a free one" },
  framing: { type: "text", default: defaults.framing, choices: ["length", "lines", "raw"], help: "message boundaries" },
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 1, help: "longest message" },
  frameTimeoutMs: { type: "number", default: defaults.frameTimeoutMs, help: "time for a message that has begun" },
  idleTimeoutMs: { type: "number", default: defaults.idleTimeoutMs, help: "time a client may say nothing" },
  maxConnections: { type: "number", default: defaults.maxConnections, min: 1, help: "clients at once" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
} as const;
const summary = "Sends back every message it gets.";

await runProgram({ name: "tcp-echo server", summary, flags }, async (values) => {
  const server = await startServer({ ...values, onEvent: (event) => say(describeTcpEvent(event)) });
  closeOnSignal(server, values.graceMs + 1_500);
  sayReady("tcp-echo", server.url);
});
