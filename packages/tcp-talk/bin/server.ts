import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { warn } from "@ipc/core/terminal";
import { SERVER_DEFAULTS as defaults, describeServerEvent, openSeat, startServer } from "../src/index.ts";

const flags = {
  host: { type: "text", default: defaults.host, help: "address to listen on; 0.0.0.0 for a network" },
  port: { type: "number", default: PORTS["tcp-talk"], max: 65_535, help: "port to listen on; 0 takes a free one" },
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 4, help: "longest line" },
  keepAliveMs: { type: "number", default: defaults.keepAliveMs, help: "silence until a lost machine is noticed" },
  stallTimeoutMs: { type: "number", default: defaults.stallTimeoutMs, help: "time to take what waits" },
  maxConnections: { type: "number", default: defaults.maxConnections, min: 1, help: "callers at once, busy ones too" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
} as const;
const summary = "Waits for a caller and talks, line by line; 'bye' ends it for both.";
const advice = { ERR_FRAME_TOO_LARGE: "Raise --max-frame-bytes" };

await runProgram({ name: "tcp-talk server", summary, flags, advice }, async (values) => {
  const seat = openSeat({ input: process.stdin, output: process.stdout, log: warn, ...values });
  const server = await startServer({
    ...values,
    handler: (talk) => seat.join(talk).finally(() => talk.bye && seat.close()),
    onEvent: (event) => seat.note(describeServerEvent(event)),
  });
  const close = () => server.close().finally(seat.close);
  closeOnSignal({ close }, values.graceMs + 1_500);
  sayReady("tcp-talk", server.url);
  await seat.left.finally(close);
});
