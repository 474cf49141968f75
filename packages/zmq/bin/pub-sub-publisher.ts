import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { describeEvent, SOCKET_DEFAULTS, startPublisher } from "../src/index.ts";

const defaults = SOCKET_DEFAULTS;
const flags = {
  port: { type: "number", default: PORTS.zmq - 1, max: 65_535, help: "port to listen on; 0 takes a free one" },
  topic: { type: "text", default: "news", help: "what it publishes about" },
  count: { type: "number", default: 3, help: "how many messages" },
  subscribers: { type: "number", default: 1, help: "how many to wait for" },
  highWaterMark: { type: "number", default: defaults.highWaterMark, min: 1, help: "messages that may wait, per peer" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to deliver at the end" },
} as const;
const summary = "Waits for subscribers, publishes to them, and ends.";

await runProgram({ name: "zmq pub-sub-publisher", summary, args: ["url"], flags }, async (values, [given]) => {
  const url = given ?? `tcp://127.0.0.1:${values.port}`;
  const publisher = await startPublisher({ ...values, url, onEvent: (event) => say(describeEvent(event)) });
  closeOnSignal(publisher, values.graceMs + 1_500);
  sayReady("zmq publisher", publisher.url);
  if (!(await publisher.waitForSubscribers(values.topic, values.subscribers))) return;
  for (let number = 1; number <= values.count; number++) {
    await publisher.publish(values.topic, Buffer.from(`message ${number}`));
  }
  say(`published ${values.count} about ${values.topic}`);
  await publisher.close();
});
