import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { describeEvent, SOCKET_DEFAULTS, subscribe } from "../src/index.ts";

const defaults = SOCKET_DEFAULTS;
const flags = {
  topic: { type: "text", default: "news", help: "the beginning of a topic; '' is all" },
  count: { type: "number", default: 0, help: "end after so many messages; 0 goes on" },
  highWaterMark: { type: "number", default: defaults.highWaterMark, min: 1, help: "messages that may wait" },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for a publisher; 0 fails at once" },
} as const;
const summary = "Prints what is published about a topic.";

await runProgram({ name: "zmq pub-sub-subscriber", summary, args: ["url"], flags }, async (values, [url]) => {
  const subscription = await subscribe(url ?? `tcp://127.0.0.1:${PORTS.zmq - 1}`, {
    ...values,
    topics: [values.topic],
    onEvent: (event) => /connected/.test(event.type) || warn(describeEvent(event)),
  });
  closeOnSignal(subscription);
  let received = 0;
  for await (const { topic, number, message } of subscription) {
    say(`${printable(Buffer.from(topic))} ${number}: ${printable(message)}`);
    if (++received === values.count) await subscription.close();
  }
});
