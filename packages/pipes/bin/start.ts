import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { type Child, startProgram } from "@ipc/core/child";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { paint, say } from "@ipc/core/terminal";

const flags = { once: { type: "switch", help: "accepted by every start; this one always ends by itself" } } as const;
const summary = "Runs every kind of pipe between two processes, one kind after another.";

await runProgram({ name: "pipes start", summary, flags }, async () => {
  const folder = await mkdtemp(`${tmpdir()}/ipc-pipes-`);
  const [socket, fifo] = [`unix:${folder}/echo.sock`, `fifo:${folder}/lines.fifo`];
  const programs = [["server", socket], ["client", socket], [], ["parent"], [], ["parent", "--channel", "fork"], []];
  if (process.platform !== "win32") programs.push(["fifo-reader", fifo], ["fifo-writer", fifo], []);
  const running: Child[] = [];
  const stop = () => Promise.all(running.splice(0).map((child) => child.stop()));
  const close = async () => {
    programs.length = 0;
    await stop();
  };
  closeOnSignal({ close });
  for (const [name, ...args] of programs) {
    // The folder has another name each time.
    const show = (line: string) => say(`${paint("cyan", `${name?.padEnd(11)} │`)} ${line.replaceAll(folder, "…")}`);
    if (name) running.push(startProgram(new URL(`${name}.ts`, import.meta.url), args, { onLine: show }));
    else for (const { code } of await stop()) process.exitCode ||= code ?? 0;
    await running.at(-1)?.ready.catch(() => running.at(-1)?.exited);
  }
  await rm(folder, { recursive: true });
});
