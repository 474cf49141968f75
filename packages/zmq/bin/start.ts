import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { type Child, startProgram } from "@ipc/core/child";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { paint, say } from "@ipc/core/terminal";

const flags = { once: { type: "switch", help: "accepted by every start; this one always ends by itself" } } as const;
const patterns = ["server A, client A", "pub-sub-publisher A, pub-sub-subscriber A --count 3"];
patterns.push("push-pull-ventilator A, push-pull-sink B --count 10, push-pull-worker A B");
patterns.push("router-dealer-broker A B, router-dealer-worker B, client A");

await runProgram({ name: "zmq start", summary: "Runs every pattern between processes.", flags }, async () => {
  const folder = await mkdtemp(`${tmpdir()}/ipc-zmq-`);
  const children: Child[] = [];
  closeOnSignal({ close: () => Promise.all(children.map((child) => child.stop())).then(() => {}) });
  for (const pattern of patterns) {
    const ending: Promise<unknown>[] = [];
    for (const program of pattern.split(", ")) {
      const [name = "", ...args] = program.replace(/\b[AB]\b/g, `ipc://${folder}/$&`).split(" ");
      const show = (line: string) => say(`${paint("cyan", name.padEnd(20))} │ ${line.replaceAll(folder, "…")}`);
      const child = startProgram(new URL(`${name}.ts`, import.meta.url), args, { onLine: show });
      children.push(child);
      if (!/server|broker|worker/.test(name)) ending.push(child.exited);
      if (!name.endsWith("worker")) await child.ready.catch(() => {});
    }
    await Promise.all(ending);
    for (const child of children.splice(0)) process.exitCode ||= (await child.stop()).code ?? 0;
  }
  await rm(folder, { recursive: true });
});
