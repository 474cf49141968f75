/** Brings what the tests need and runs them: `pnpm test`, or `pnpm test tcp-echo core`. */
import { runProgram } from "@ipc/core/process";
import { repositoryRoot } from "../src/examples.ts";
import { interruptible } from "../src/interrupt.ts";
import { bringNeeds } from "../src/needs.ts";
import { runTests } from "../src/tests/test-run.ts";

const program = {
  name: "pnpm test",
  summary: "Runs the tests of all packages, or of those named.",
  args: ["packages…"],
  flags: { root: { type: "text", help: "a repository other than this one" } },
} as const;

await runProgram(program, async ({ root = repositoryRoot }, names) => {
  await bringNeeds(names, { root });
  const { failed } = await interruptible((signal) => runTests(names, { root, signal }));
  if (failed > 0) process.exitCode = 1;
});
