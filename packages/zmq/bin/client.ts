import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { connect, CLIENT_DEFAULTS as defaults, describeEvent, readClientKeys } from "../src/index.ts";

const flags = {
  message: { type: "text", default: "Hello", help: "what to send; 'stop' ends the server" },
  count: { type: "number", default: 1, min: 1, max: 10_000, help: "how many times" },
  keys: { type: "text", help: "file of curve-keys, ours" },
  serverKey: { type: "text", help: "file with the server's public key" },
  timeoutMs: { type: "number", default: defaults.timeoutMs, min: 1, help: "time for a reply, each try" },
  tries: { type: "number", default: defaults.tries, min: 1, help: "how often a request is sent" },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for a server; 0 fails at once" },
} as const;
const summary = "Sends requests to a server or a broker and prints the replies.";
const advice = { EACCES: "Give them our .pub file", EPROTO: "Check the keys on both sides", ENOENT: "Run curve-keys" };

await runProgram({ name: "zmq client", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  const client = await connect(url ?? `tcp://127.0.0.1:${PORTS.zmq}`, {
    ...values,
    curve: values.keys ? await readClientKeys(values.keys, values.serverKey) : undefined,
    onEvent: (event) => event.type === "waiting" && warn(describeEvent(event)),
  });
  closeOnSignal(client);
  const requests = Array.from({ length: values.count }, () => client.request(Buffer.from(values.message)));
  say(`sending  ${printable(Buffer.from(values.message))}${values.count > 1 ? ` (${values.count} times)` : ""}`);
  for (const reply of await Promise.all(requests)) say(`received ${printable(reply)}`);
  await client.close();
});
