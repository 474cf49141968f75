import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { connect, CLIENT_DEFAULTS as defaults } from "../src/index.ts";

const flags = {
  message: { type: "text", default: "Hello, client !", help: "what to send" },
  count: { type: "number", default: 1, min: 1, help: "how many times, all at once" },
  framing: { type: "text", default: defaults.framing, choices: ["length", "lines"], help: "message boundaries" },
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 1, help: "longest message" },
  timeoutMs: { type: "number", default: defaults.timeoutMs, min: 1, help: "time for a reply" },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for a server; 0 fails at once" },
} as const;
const summary = "Sends a message to an echo server and prints the reply.";
const other = "Check that both sides use the same --framing and --max-frame-bytes, then try again";
const advice = { ETIMEDOUT: other, ECONNRESET: other, ERR_FRAME_TOO_LARGE: other, ERR_FRAME_DELIMITER: other };

await runProgram({ name: "tcp-echo client", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  const client = await connect(url ?? `tcp://127.0.0.1:${PORTS["tcp-echo"]}`, {
    ...values,
    onEvent: ({ type, url }) => type === "waiting" && warn(`waiting for ${url}`),
  });
  closeOnSignal(client);
  const message = new TextEncoder().encode(values.message);
  const requests = Array.from({ length: values.count }, () => client.request(message));
  say(`sending  ${printable(message)}${values.count > 1 ? ` (${values.count} times)` : ""}`);
  const replies = await Promise.all(requests);
  for (const reply of replies) say(`received ${printable(reply)}`);
  await client.close();
});
