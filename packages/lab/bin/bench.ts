import { runProgram } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { listBenches, runBench } from "../src/bench/catalog.ts";

const flags = {
  list: { type: "switch", help: "only print the names" },
  rounds: { type: "number", help: "rounds that count", default: 9, min: 1 },
  quick: { type: "switch", help: "3 rounds of short measurements: shows that it runs" },
  markdown: { type: "switch", help: "print Markdown tables" },
} as const;

const program = { name: "bench", summary: "Measures, side by side in one run.", args: ["name"], flags };

await runProgram(program, async ({ list, rounds, quick, markdown }, [name]) => {
  if (list || name === undefined) return say((await listBenches()).join("\n"));
  await runBench(name, { rounds, isQuick: quick ?? false, isMarkdown: markdown ?? false });
});
