/**
 * `pnpm table`: the examples' behaviour tests, and the tables from what they find.
 *
 * @module
 */
import { inspect } from "node:util";
import { say } from "@ipc/core/terminal";
import { listExamples, repositoryRoot } from "../examples.ts";
import { runFiles } from "../tests/run-files.ts";
import { type Behaviour, behaviourFile, behaviourRows, readBehaviour, writeTables } from "./behaviour-table.ts";

/**
 * Runs every example's `test/behaviour.test.ts` and writes the tables of the READMEs.
 *
 * @param print Where the lines of progress go.
 * @returns The files that have changed.
 * @throws When a test fails, has a name that is no row, or is missing: no table is written then.
 */
export async function refreshTables(
  root: string = repositoryRoot,
  print: (line: string) => void = say,
): Promise<string[]> {
  const examples = await listExamples(root);
  const results = await runFiles(examples.map(behaviourFile), {
    onFile: ({ file, seconds }) => print(`${file.slice(root.length + 1)}  ${seconds.toFixed(1)} s`),
  });
  const behaviours = examples.map((example, index) => readBehaviour(example, results[index]));
  const failures = results.flatMap(({ file, problem, tests }) => [
    ...(problem === undefined ? [] : [`${file}: ${problem}`]),
    ...tests
      .filter(({ outcome }) => outcome === "failed")
      .map(({ path, error }) => `${file}: "${path.join(" > ")}" failed: ${inspect(error)}`),
  ]);
  const problems = [...failures, ...behaviours.flatMap((behaviour) => behaviour.problems)];
  for (const problem of problems) print(problem);
  if (problems.length > 0) {
    throw new Error(`Cannot write the tables: ${problems.length} problems with the behaviour tests, see above`);
  }
  for (const behaviour of behaviours) {
    for (const row of missingRows(behaviour)) print(`${behaviour.example.name}: kept the words for "${row}"`);
  }
  return writeTables(behaviours, root);
}

/** Rows that need a program which is not there. */
function missingRows({ cells }: Behaviour): string[] {
  return behaviourRows.filter((row) => !cells.has(row));
}
