import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { describeSenderEvent, describeSent } from "../src/describe.ts";
import { openSender, SENDER_DEFAULTS, type SenderEvent } from "../src/index.ts";
import { sendTimes } from "../src/send-times.ts";

const flags = {
  message: { type: "text", default: "Hello, receiver !", help: "what to send" },
  count: { type: "number", default: 1, min: 1, help: "how many times, as fast as the system takes them" },
  everyMs: { type: "number", default: 0, help: "pause after each instead" },
  broadcast: { type: "switch", help: "allow a broadcast address" },
  interface: { type: "text", help: "own address in a multicast group's network" },
  ttl: { type: "number", default: SENDER_DEFAULTS.ttl, max: 255, help: "routers a multicast may pass" },
  blind: { type: "switch", help: "do not ask whether anybody is there" },
  waitMs: { type: "number", default: SENDER_DEFAULTS.waitMs, help: "time to wait for a receiver; 0 asks once" },
  timeoutMs: { type: "number", default: SENDER_DEFAULTS.timeoutMs, min: 1, help: "time for an answer" },
} as const;
const advice = { EACCES: "Try --broadcast", EADDRNOTAVAIL: "Check --interface", ETIMEDOUT: "Start it, or use --blind" };
const program = { name: "udp sender", summary: "Sends datagrams.", args: ["url"], flags, advice };

await runProgram(program, async (values, [url]) => {
  const onEvent = (event: SenderEvent) => warn(describeSenderEvent(event));
  const sender = await openSender(url ?? `udp://127.0.0.1:${PORTS.udp}`, { ...values, onEvent });
  closeOnSignal(sender);
  const message = new TextEncoder().encode(values.message);
  say(`sending  ${printable(message, 50)}${values.count > 1 ? ` (${values.count} times)` : ""}`);
  say(describeSent(await sendTimes(sender, message, values)));
  await sender.close();
});
