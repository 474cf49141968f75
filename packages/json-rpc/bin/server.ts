import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { printable, say } from "@ipc/core/terminal";
import { SERVER_DEFAULTS as defaults, describeEvent, type ServerEvent, startServer } from "../src/index.ts";

const flags = {
  host: { type: "text", default: defaults.host, help: "address to listen on; 0.0.0.0: a network" },
  port: { type: "number", default: PORTS["json-rpc-http"], max: 65_535, help: "for HTTP; 0 takes a free one" },
  tcpPort: { type: "number", max: 65_535, help: "for TCP lines (4001, or free as --port)" },
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 1, help: "longest message" },
  maxBatch: { type: "number", default: defaults.maxBatch, min: 1, help: "most requests in a batch" },
  maxCalls: { type: "number", default: defaults.maxCalls, min: 1, help: "calls that run at once" },
  maxInFlightBytes: { type: "number", default: defaults.maxInFlightBytes, min: 1, help: "unanswered, a TCP client" },
  maxConnections: { type: "number", default: defaults.maxConnections, min: 1, help: "clients at once, each kind" },
  headersTimeoutMs: { type: "number", default: defaults.headersTimeoutMs, help: "time for HTTP headers" },
  requestTimeoutMs: { type: "number", default: defaults.requestTimeoutMs, help: "time for an HTTP request" },
  frameTimeoutMs: { type: "number", default: defaults.frameTimeoutMs, help: "time for a TCP line that has begun" },
  idleTimeoutMs: { type: "number", default: defaults.idleTimeoutMs, help: "time nothing may move" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
  allowedHosts: { type: "text", help: "names of this server, with commas" },
  allowedOrigins: { type: "text", help: "whose pages may call, with commas" },
} as const;
await runProgram({ name: "json-rpc server", summary: "Answers JSON-RPC 2.0 calls.", flags }, async (values) => {
  const [allowedHosts, allowedOrigins] = [values.allowedHosts, values.allowedOrigins].map((list) => list?.split(","));
  const tcpPort = values.tcpPort ?? (values.port === 0 ? 0 : PORTS["json-rpc-tcp"]);
  const onEvent = (event: ServerEvent) => say(printable(Buffer.from(describeEvent(event))));
  const server = await startServer({ ...values, tcpPort, allowedHosts, allowedOrigins, onEvent });
  closeOnSignal(server, values.graceMs + 1_500);
  for (const url of server.urls) sayReady("json-rpc", url);
});
