/**
 * The root's `pnpm test`: all test files of all packages, then the behaviour tables.
 *
 * @module
 */
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { paint, say } from "@ipc/core/terminal";
import { behaviourFile, findDifferences, isUnmetNeed, readBehaviour } from "../behaviour/behaviour-table.ts";
import { type Example, listExamples, listPackages, repositoryRoot } from "../examples.ts";
import { type FileResult, type RunOptions, runFiles } from "./run-files.ts";
import { countOf, describeFile, type Summary, showProgress } from "./test-report.ts";

/** How the tests are run. */
export interface TestRunOptions {
  /** @default {repositoryRoot} */
  root?: string;
  /** Whether a test that is skipped for want of a program counts as failed. @default {IPC_REQUIRE is "all"} */
  requiresAll?: boolean;
  /** Where the lines go. @default {standard output} */
  print?: (line: string) => void;
  /** How long one file may take. @default {600_000} */
  fileTimeoutMs?: number;
  /** Ends the run when it aborts. */
  signal?: AbortSignal;
}

/**
 * Runs the tests of some packages and prints what they do: one line a file, failures in full, skips by name, and
 * `N passed, N failed, N skipped` as the last line.
 *
 * @param names Packages; none means all.
 * @throws {TypeError} with code `ERR_USAGE` for a package that does not exist.
 * @throws The signal's reason once it is aborted.
 */
export async function runTests(names: readonly string[], options: TestRunOptions = {}): Promise<Summary> {
  const {
    root = repositoryRoot,
    requiresAll = process.env["IPC_REQUIRE"] === "all",
    print = say,
    fileTimeoutMs,
    signal,
  } = options;
  const packages = await selectPackages(names, root);
  const files = (await Promise.all(packages.map(listTestFiles))).flat();

  const summary: Summary = { passed: 0, failed: 0, skipped: 0 };
  const progress = showProgress(files.length);
  const results = await runInTwoRounds(files, {
    ...(fileTimeoutMs === undefined ? {} : { fileTimeoutMs }),
    ...(signal === undefined ? {} : { signal }),
    onStart: (file) => progress.start(relative(root, file)),
    onFile(result) {
      if (requiresAll) failUnmetNeeds(result);
      const counts = countOf(result);
      for (const key of ["passed", "failed", "skipped"] as const) summary[key] += counts[key];
      progress.clear();
      for (const line of describeFile(result, counts, root)) print(line);
      progress.end(relative(root, result.file));
    },
  });
  progress.stop();

  summary.failed += await checkTables(packages, results, root, print);
  print("");
  if (summary.passed + summary.failed === 0) {
    print("Cannot find any test that ran");
    summary.failed = 1;
  }
  print(`${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`);
  return summary;
}

/**
 * Finds packages by name, core and lab among them; all for no names.
 *
 * @throws {TypeError} with code `ERR_USAGE` for a package that does not exist.
 */
async function selectPackages(names: readonly string[], root: string): Promise<Example[]> {
  const packages = await listPackages(root);
  const unknown = names.find((name) => !packages.some((one) => one.name === name));
  if (unknown !== undefined) {
    const known = packages.map(({ name }) => name).join(", ");
    throw Object.assign(new TypeError(`Cannot test '${unknown}': the packages are ${known}`), {
      code: "ERR_USAGE",
    });
  }
  return names.length === 0 ? packages : packages.filter(({ name }) => names.includes(name));
}

async function listTestFiles({ folder }: Example): Promise<string[]> {
  const names = await readdir(join(folder, "test")).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names
    .filter((name) => name.endsWith(".test.ts"))
    .sort()
    .map((name) => join(folder, "test", name));
}

/**
 * Two files at a time: the tests mostly wait for processes to start, and more would only stretch the times that they
 * measure. Files named `*.heavy.test.ts` need the machine for themselves and come after all others, one by one.
 */
async function runInTwoRounds(files: readonly string[], options: RunOptions): Promise<FileResult[]> {
  const isHeavy = (file: string) => file.endsWith(".heavy.test.ts");
  // The lab's run longest: first, so that nothing waits for them at the end.
  const isLab = (file: string) => file.includes(join("packages", "lab", "test"));
  const light = files.filter((file) => !isHeavy(file)).sort((a, b) => Number(isLab(b)) - Number(isLab(a)));
  const first = await runFiles(light, { ...options, concurrency: 2 });
  return [...first, ...(await runFiles(files.filter(isHeavy), { ...options, concurrency: 1 }))];
}

function failUnmetNeeds(result: FileResult): void {
  for (const test of result.tests.filter(isUnmetNeed)) {
    test.outcome = "failed";
    test.error = `skipped although IPC_REQUIRE=all: ${test.reason}`;
  }
}

async function checkTables(
  packages: readonly Example[],
  results: readonly FileResult[],
  root: string,
  print: (line: string) => void,
): Promise<number> {
  const hasExamples = packages.some(({ name }) => name !== "core" && name !== "lab");
  if (!hasExamples) return 0;
  const examples = await listExamples(root);
  const isSelected = (example: Example) => packages.some(({ name }) => name === example.name);
  const behaviours = examples.map((example) => readBehaviour(example, findResult(results, behaviourFile(example))));
  const silent = behaviours
    .filter(({ example, hasRun }) => isSelected(example) && !hasRun)
    .map(({ example }) => `${relative(root, behaviourFile(example))}: every example has this file`);
  const { differences, problems: unreadable } = await findDifferences(behaviours, root);
  const problems = [...silent, ...behaviours.flatMap((behaviour) => behaviour.problems), ...unreadable];
  if (problems.length + differences.length === 0) return 0;

  print(`${paint("red", "✗")} the behaviour tables`);
  for (const line of [...problems, ...differences]) print(`    ${line}`);
  if (differences.length > 0) print("  If the tests are right, this mends the tables: pnpm table");
  return 1;
}

function findResult(results: readonly FileResult[], file: string): FileResult | undefined {
  return results.find((result) => result.file === file);
}
