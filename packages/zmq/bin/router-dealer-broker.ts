import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { BROKER_DEFAULTS, describeEvent, startBroker } from "../src/index.ts";

const defaults = BROKER_DEFAULTS;
const flags = {
  port: { type: "number", default: PORTS.zmq - 4, max: 65_535, help: "port for clients; 0 takes free ones" },
  workersPort: { type: "number", max: 65_535, help: `port for workers (${PORTS.zmq - 5})` },
  heartbeatMs: {
    type: "number",
    default: defaults.heartbeatMs,
    min: 1,
    help: "between two signs of life; the workers'",
  },
  maxQueued: { type: "number", default: defaults.maxQueued, min: 1, help: "requests without an answer" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
} as const;
const summary = "Hands requests to workers, and to another one when a worker dies.";
const args = ["url", "workers-url"];

await runProgram({ name: "zmq router-dealer-broker", summary, args, flags }, async (values, [clients, workers]) => {
  const workersPort = values.workersPort ?? (values.port === 0 ? 0 : PORTS.zmq - 5);
  const url = clients ?? `tcp://127.0.0.1:${values.port}`;
  const workersUrl = workers ?? `tcp://127.0.0.1:${workersPort}`;
  const broker = await startBroker({ ...values, url, workersUrl, onEvent: (event) => say(describeEvent(event)) });
  closeOnSignal(broker, values.graceMs + 1_500);
  sayReady("zmq broker, for clients,", broker.urls[0]);
  sayReady("zmq broker, for workers,", broker.urls[1]);
});
