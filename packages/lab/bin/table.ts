/** Runs every example's behaviour tests and writes the tables of the READMEs from what they found: `pnpm table`. */
import { runProgram } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { refreshTables } from "../src/behaviour/refresh-tables.ts";

const program = {
  name: "pnpm table",
  summary: "Writes the behaviour tables of the READMEs from the examples' tests.",
  flags: {},
};

await runProgram(program, async () => {
  const changed = await refreshTables();
  say(changed.length > 0 ? `Changed: ${changed.join(", ")}` : "The tables are as the tests found them");
});
