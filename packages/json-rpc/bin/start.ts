import { runPair } from "@ipc/core/child";
import { runProgram } from "@ipc/core/process";

const flags = {
  once: { type: "switch", help: "accepted by every start; this one always ends by itself" },
} as const;
const summary = "Runs a server and a client as two processes on free ports.";

await runProgram({ name: "json-rpc start", summary, flags }, () =>
  runPair(
    { role: "server", file: new URL("server.ts", import.meta.url) },
    { role: "client", file: new URL("client.ts", import.meta.url) },
  ),
);
