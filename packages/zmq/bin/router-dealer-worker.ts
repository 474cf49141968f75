import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { BROKER_DEFAULTS, describeEvent, startWorker } from "../src/index.ts";

const defaults = BROKER_DEFAULTS;
const flags = {
  name: { type: "text", default: "worker", help: "what its replies are signed with" },
  heartbeatMs: {
    type: "number",
    default: defaults.heartbeatMs,
    min: 1,
    help: "between two signs of life; the broker's",
  },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for a broker; 0 fails at once" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
} as const;
const summary = "Answers requests that a broker hands out.";

await runProgram({ name: "zmq router-dealer-worker", summary, args: ["url"], flags }, async (values, [url]) => {
  const worker = await startWorker(url ?? `tcp://127.0.0.1:${PORTS.zmq - 5}`, {
    ...values,
    handler: (request) => Buffer.from(`${printable(request)} by ${values.name}`),
    onEvent: (event) => /connected/.test(event.type) || warn(describeEvent(event)),
  });
  closeOnSignal(worker, values.graceMs + 1_500);
  say(`working for ${worker.url}`);
});
