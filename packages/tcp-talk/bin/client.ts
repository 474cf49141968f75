import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { warn } from "@ipc/core/terminal";
import { type ClientEvent, connect, CLIENT_DEFAULTS as defaults, describeClientEvent, openSeat } from "../src/index.ts";

const flags = {
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 4, help: "longest line" },
  keepAliveMs: { type: "number", default: defaults.keepAliveMs, help: "silence until a lost machine is noticed" },
  stallTimeoutMs: { type: "number", default: defaults.stallTimeoutMs, help: "time to take what waits" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for a server; 0 fails at once" },
} as const;
const summary = "Calls somebody and talks, line by line; 'bye' ends it for both.";
const advice = { ECONNRESET: "Call again", ETIMEDOUT: "Call again", ERR_FRAME_TOO_LARGE: "Raise --max-frame-bytes" };

await runProgram({ name: "tcp-talk client", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  let show = warn;
  const onEvent = (event: ClientEvent) => event.type !== "connected" && show(describeClientEvent(event));
  const talk = await connect(url ?? `tcp://127.0.0.1:${PORTS["tcp-talk"]}`, { ...values, onEvent });
  closeOnSignal(talk, values.graceMs + 1_500);
  warn(`connected to ${talk.url}`);
  const seat = openSeat({ input: process.stdin, output: process.stdout, log: warn, ...values });
  show = seat.note;
  await Promise.all([seat.left, seat.join(talk).finally(seat.close)]);
  if (talk.bye === "heard") warn(`${talk.url} said bye`);
  // Cut short: a person still had the word.
  if (talk.hasLeft && process.stdin.isTTY) process.exitCode = 1;
});
