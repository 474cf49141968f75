import { runProgram } from "@ipc/core/process";
import { listExamples, repositoryRoot } from "../src/examples.ts";
import { interruptible } from "../src/interrupt.ts";
import { bringNeeds } from "../src/needs.ts";
import { pickExamples, runTour, sayList } from "../src/tour/tour.ts";

await runProgram(
  {
    name: "pnpm start",
    summary: "Runs the examples one after another, each as real processes; all of them when none is named.",
    args: ["names…"],
    flags: {
      list: { type: "switch", help: "only list the examples" },
      timeoutMs: { type: "number", help: "how long each may take", default: 60_000, min: 1 },
      root: { type: "text", help: "a repository other than this one" },
    },
  },
  async ({ list, timeoutMs, root = repositoryRoot }, names) => {
    const examples = pickExamples(await listExamples(root), names);
    if (list) return sayList(examples);
    await bringNeeds(names, { root });
    const stops = await interruptible((signal) => runTour(examples, { signal, timeoutMs, root }));
    if (stops.some(({ result }) => result === "failed")) process.exitCode = 1;
  },
);
