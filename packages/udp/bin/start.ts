import { runPair } from "@ipc/core/child";
import { runProgram } from "@ipc/core/process";

const flags = {
  once: { type: "switch", help: "accepted by every start; this one always ends by itself" },
} as const;
const summary = "Runs a receiver and a sender as two processes on a free port.";

await runProgram({ name: "udp start", summary, flags }, () =>
  runPair(
    { role: "receiver", file: new URL("receiver.ts", import.meta.url) },
    { role: "sender", file: new URL("sender.ts", import.meta.url), args: ["--count", "3"] },
  ),
);
