import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { CLIENT_DEFAULTS, connect } from "../src/index.ts";

const defaults = CLIENT_DEFAULTS;
const flags = {
  message: { type: "text", default: "Hello, socket !", help: "what to send" },
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 1, help: "longest message" },
  timeoutMs: { type: "number", default: defaults.timeoutMs, min: 1, help: "time for a reply" },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for a server; 0 fails at once" },
} as const;
const summary = "Sends a message to a server (unix:/tmp/ipc-pipes.sock), prints the reply.";
const advice = { ENOENT: "Start the server first, or wait longer with --wait-ms" };

await runProgram({ name: "pipes client", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  const onEvent = (event: { type: string; url: string }) =>
    event.type === "waiting" && warn(`waiting for ${event.url}`);
  const client = await connect(url ?? "unix:/tmp/ipc-pipes.sock", { ...values, onEvent });
  closeOnSignal(client);
  say(`sending  ${printable(Buffer.from(values.message))}`);
  say(`received ${printable(await client.request(Buffer.from(values.message)))}`);
  await client.close();
});
