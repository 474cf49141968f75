import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { warn } from "@ipc/core/terminal";
import { TOKEN_ADVICE } from "@ipc/core/token";
import { CLIENT_DEFAULTS, type ClientEvent, connect, describeClientEvent, openSeat, TALK_FLAGS } from "../src/index.ts";

const flags = {
  ...TALK_FLAGS,
  token: { type: "text", help: "what the listener wants to hear first" },
  waitMs: { type: "number", default: CLIENT_DEFAULTS.waitMs, help: "time to wait for a server; 0 fails at once" },
} as const;
const summary = "Calls somebody and talks, line by line; 'bye' ends it for both.";
const again = { ECONNRESET: "Call again", ETIMEDOUT: "Call again" };
const advice = { ...TOKEN_ADVICE, ...again, ERR_FRAME_TOO_LARGE: "Raise --max-frame-bytes" };

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
