import { fileURLToPath } from "node:url";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say } from "@ipc/core/terminal";
import { REQUESTER_DEFAULTS, startChild, startFork } from "../src/index.ts";

const flags = {
  channel: { type: "text", default: "pipe", choices: ["pipe", "fork"], help: "standard streams, or Node's own" },
  message: { type: "text", default: "Hello, child !", help: "what to send" },
  timeoutMs: { type: "number", default: REQUESTER_DEFAULTS.timeoutMs, min: 1, help: "time for a reply" },
} as const;
const summary = "Starts a child, sends it a message and prints the reply.";
const advice = {
  ETIMEDOUT: "Wait longer with --timeout-ms",
  ECONNRESET: "Look at what it wrote",
  ERR_FRAME_TOO_LARGE: "It prints something else on its standard output",
};
const file = new URL("child.ts", import.meta.url);
const program = [process.execPath, ...process.execArgv, fileURLToPath(file)] as const;

await runProgram({ name: "pipes parent", summary, args: ["command…"], flags, advice }, async (values, args) => {
  if (values.channel === "fork" && args.length > 0) throw new TypeError("Cannot fork a command: leave out --channel");
  const [first, ...more] = args.length > 0 ? args : program;
  const command = [first ?? "", ...more] as const;
  const child = values.channel === "fork" ? startFork(file) : await startChild(command, values);
  closeOnSignal(child);
  say(`sending  ${printable(Buffer.from(values.message))}`);
  const reply = await child.request(Buffer.from(values.message));
  if (reply instanceof Uint8Array) say(`received ${printable(reply)}`);
  await child.close();
});
