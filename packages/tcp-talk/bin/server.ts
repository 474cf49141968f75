import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { warn } from "@ipc/core/terminal";
import { TOKEN_ADVICE, TOKEN_FLAGS } from "@ipc/core/token";
import { SERVER_DEFAULTS as defaults, describeServerEvent, openSeat, startServer, TALK_FLAGS } from "../src/index.ts";

const flags = {
  host: { type: "text", default: defaults.host, help: "address to listen on; 0.0.0.0 for a network" },
  port: { type: "number", default: PORTS["tcp-talk"], max: 65_535, help: "port to listen on; 0 takes a free one" },
  ...TOKEN_FLAGS,
  ...TALK_FLAGS,
  maxConnections: { type: "number", default: defaults.maxConnections, min: 1, help: "callers at once, busy ones too" },
} as const;
const summary = "Waits for a caller and talks, line by line; 'bye' ends it for both.";
const advice = { ...TOKEN_ADVICE, ERR_FRAME_TOO_LARGE: "Raise --max-frame-bytes" };

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
  if (values.insecure && !values.token) seat.note("insecure: whoever reaches this machine may call");
  await seat.left.finally(close);
});
