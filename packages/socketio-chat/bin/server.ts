import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { SERVER_DEFAULTS as defaults, describeServerEvent, startServer } from "../src/index.ts";

const flags = {
  host: { type: "text", default: defaults.host, help: "address to listen on" },
  port: { type: "number", default: PORTS["socketio-chat"], max: 65_535, help: "port; 0: a free one" },
  redisUrl: { type: "text", help: "history and other servers (REDIS_URL)" },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for Redis" },
  keepMessages: { type: "number", default: defaults.keepMessages, min: 1, help: "kept of each room" },
  maxConnections: { type: "number", default: defaults.maxConnections, min: 1, help: "clients at once" },
  maxEventsPerSecond: { type: "number", default: defaults.maxEventsPerSecond, min: 1, help: "of a client" },
  heartbeatMs: { type: "number", default: defaults.heartbeatMs, min: 1, help: "how often to ping" },
  awayMs: { type: "number", default: defaults.awayMs, help: "how long names wait" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
  allowedHosts: { type: "text", default: "", help: "further names of it, by commas" },
  allowedOrigins: { type: "text", default: "", help: "pages that may connect, by commas" },
} as const;
const advice = { ECONNREFUSED: "Start Redis, or leave out --redis-url and REDIS_URL" };
const program = { name: "socketio-chat server", summary: "A chat with rooms and history; a page at /.", flags, advice };

await runProgram(program, async ({ allowedHosts, allowedOrigins, ...values }) => {
  const [hosts, origins] = [allowedHosts, allowedOrigins].map((text) => text.split(",").filter((name) => name !== ""));
  const redisUrl = values.redisUrl ?? process.env["REDIS_URL"];
  const onEvent = (event: Parameters<typeof describeServerEvent>[0]) => say(describeServerEvent(event));
  const server = await startServer({ ...values, redisUrl, allowedHosts: hosts, allowedOrigins: origins, onEvent });
  closeOnSignal(server, values.graceMs + 1_500);
  sayReady("socketio-chat", server.url);
});
