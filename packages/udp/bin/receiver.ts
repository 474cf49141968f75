import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { describeReceiverEvent } from "../src/describe.ts";
import { RECEIVER_DEFAULTS, startReceiver } from "../src/index.ts";
import { report } from "../src/report.ts";

const defaults = RECEIVER_DEFAULTS;
const flags = {
  host: { type: "text", default: defaults.host, help: "address to listen on; 0.0.0.0 for all" },
  port: { type: "number", default: PORTS.udp, max: 65_535, help: "port to listen on; 0 takes a free one" },
  group: { type: "text", help: "multicast group to join instead: 239.1.2.3" },
  interface: { type: "text", help: "own address in the group's network" },
  receiveBufferBytes: { type: "number", default: defaults.receiveBufferBytes, help: "to ask for" },
  mute: { type: "switch", help: "answer no pings" },
  maxQueuedBytes: { type: "number", default: defaults.maxQueuedBytes, min: 1, help: "unread at most" },
  everyMs: { type: "number", default: 1_000, min: 1, help: "how often counts are printed" },
  show: { type: "number", default: 5, help: "messages to print each time" },
} as const;
const advice = { EADDRNOTAVAIL: "Try --host 127.0.0.1", ENODEV: "Try --interface with an own address" };
const program = { name: "udp receiver", summary: "Receives datagrams and counts them.", flags, advice };

await runProgram(program, async (values) => {
  const receiver = await startReceiver({ ...values, onEvent: (event) => say(describeReceiverEvent(event)) });
  closeOnSignal(receiver);
  sayReady("udp", receiver.url);
  await report(receiver, values, say);
});
