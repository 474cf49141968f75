import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Child, startProgram } from "@ipc/core/child";
import { runProgram } from "@ipc/core/process";
import { say, warn } from "@ipc/core/terminal";

const flags = { once: { type: "switch", help: "accepted by every start; this one always ends by itself" } } as const;
const summary = "Runs a sink, a relay and a client as three processes on free ports.";
const children: Child[] = [];
let isInterrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interrupt(signal));
await runProgram({ name: "post-relay start", summary, flags }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "post-relay-"));
  const sink = await start("sink", "--port", "0", "--record", join(folder, "posts.log")).ready.catch(() => undefined);
  const relay = sink && !isInterrupted && (await start("relay", sink, "--port", "0").ready.catch(() => undefined));
  if (relay && !isInterrupted) await start("client", relay).exited;
  for (const child of children.toReversed()) await (isInterrupted ? child.exited : child.stop());
  for (const { exited } of children) if ((await exited).code) process.exitCode = 1;
  rmSync(folder, { recursive: true });
});
function start(role: string, ...args: string[]): Child {
  const onLine = (line: string, from: string) => (from === "stdout" ? say : warn)(`${role.padEnd(6)} │ ${line}`);
  return children[children.push(startProgram(new URL(`${role}.ts`, import.meta.url), args, { onLine })) - 1] as Child;
}
function interrupt(signal: string): void {
  isInterrupted = true; // On a terminal Ctrl-C reaches the children by itself, and a second signal would cut them off.
  if (signal === "SIGTERM" || !process.stdin.isTTY) for (const child of children) void child.stop();
}
