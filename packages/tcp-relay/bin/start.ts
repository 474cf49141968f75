import { startProgram } from "@ipc/core/child";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { paint, say, warn } from "@ipc/core/terminal";

const flags = {
  once: { type: "switch", help: "accepted by every start; this one always ends by itself" },
} as const;
const summary = "Runs two peers as two processes on free ports, each the other's next.";

function start(name: string, color: "cyan" | "magenta", args: string[]) {
  return startProgram(new URL("peer.ts", import.meta.url), ["--name", name, "--port", "0", ...args], {
    onLine: (line, from) => (from === "stdout" ? say : warn)(`${paint(color, `${name} │`)} ${line}`),
  });
}

await runProgram({ name: "tcp-relay start", summary, flags }, async () => {
  const a = start("a", "cyan", ["--next", "-"]);
  const url = await a.ready;
  const b = start("b", "magenta", ["--next", url, "--send", '{"three":3,"four":4}', "--once"]);
  // Ctrl-C on a terminal reaches both by itself, and a second signal would cut them off.
  closeOnSignal({ close: async () => void (process.stdin.isTTY || (await b.stop())) });
  // Each needs the other's address: a is told b's when b has one.
  a.stdin.end(await b.ready);
  await b.exited;
  const exits = [await b.exited, await a.stop()];
  if (exits.some(({ code }) => code !== 0)) process.exitCode = 1;
});
