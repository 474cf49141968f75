/**
 * Writes the behaviour tables of the READMEs from what the examples' tests found, and finds where a table says
 * something else than the tests.
 *
 * @module
 */
import { join, relative } from "node:path";
import { type Example, repositoryRoot } from "../examples.ts";
import type { FileResult, TestResult } from "../tests/run-files.ts";
import { escapeCell, readTablePlaces, type Table, writeTablePlaces } from "./readme-table.ts";

/** What every example answers: the names of the tests in `test/behaviour.test.ts`. */
export const behaviourRows = [
  "messages are cut or glued on the way",
  "a message is too large",
  "a message is malformed",
  "the reader is slow",
  "the peer is killed",
  "the peer goes silent",
  "the client starts first",
  "the server restarts",
  "the port is taken",
  "it is told to stop",
  "two clients at once",
] as const;

/** Where an example answers them. */
export function behaviourFile(example: Example): string {
  return join(example.folder, "test", "behaviour.test.ts");
}

/** What an example's tests found. */
export interface Behaviour {
  example: Example;
  /** Whether its tests ran this time. */
  hasRun: boolean;
  /** By row. Missing: could not be found out here (the test failed, or needs a program that is not there). */
  cells: ReadonlyMap<string, string>;
  /** What is wrong with the tests themselves, each in one line. */
  problems: readonly string[];
}

/**
 * Reads an example's behaviour from the results of its `behaviour.test.ts`.
 *
 * @param result `undefined` when it has not run this time.
 */
export function readBehaviour(example: Example, result: FileResult | undefined): Behaviour {
  const cells = new Map<string, string>();
  const problems: string[] = [];
  if (!result) return { example, hasRun: false, cells, problems };

  const rows = new Set<string>(behaviourRows);
  // A subtest is a part of its row.
  for (const test of result.tests.filter(({ path }) => path.length === 1)) {
    const [name = ""] = test.path;
    if (!rows.delete(name)) {
      problems.push(`"${name}" is no row of the behaviour table, or is there twice`);
    } else if (test.outcome === "passed" && test.diagnostics.length === 0) {
      problems.push(`"${name}" does not say what was seen: call t.diagnostic()`);
    } else {
      const text = cellOf(test);
      if (text !== undefined) cells.set(name, text);
    }
  }
  for (const row of rows) problems.push(`"${row}" has no test`);
  const file = join("packages", example.name, "test", "behaviour.test.ts");
  return { example, hasRun: true, cells, problems: problems.map((problem) => `${file}: ${problem}`) };
}

function cellOf(test: TestResult): string | undefined {
  if (test.outcome === "failed" || isUnmetNeed(test)) return undefined;
  return test.outcome === "skipped" ? `cannot apply: ${test.reason}` : test.diagnostics.join("; ");
}

/** Whether a test was skipped for want of a program or service, not because its row cannot apply. */
export function isUnmetNeed(test: TestResult): boolean {
  return test.outcome === "skipped" && test.reason.startsWith("needs ");
}

/**
 * Writes the table of each example that ran into its README, and those of all into the root README. What could not be
 * found out here keeps the words it had.
 *
 * @param behaviours All examples', in the order of the columns.
 * @returns The files that have changed, from the root.
 * @throws When a README has no place for the table.
 */
export async function writeTables(behaviours: readonly Behaviour[], root: string = repositoryRoot): Promise<string[]> {
  const changed: string[] = [];
  for (const page of pagesOf(behaviours, root)) {
    const tables = await readTables(page);
    const isChanged = await writeTablePlaces(
      page.path,
      tables.map(({ table }) => table),
    );
    if (isChanged) changed.push(page.name);
  }
  return changed;
}

/**
 * Finds where the tables in the READMEs say something else than the tests have found. Figures may differ.
 *
 * @param behaviours All examples', in the order of the columns.
 * @returns `differences`, which writing the tables anew would mend, and `problems`, which it would not; one line each.
 */
export async function findDifferences(
  behaviours: readonly Behaviour[],
  root: string = repositoryRoot,
): Promise<{ differences: string[]; problems: string[] }> {
  const differences: string[] = [];
  const problems: string[] = [];
  // With some examples only, a column may well be missing that a whole run would add.
  const isWhole = behaviours.every(({ hasRun }) => hasRun);
  for (const page of pagesOf(behaviours, root)) {
    try {
      for (const { table, written } of await readTables(page)) {
        const found = compare(table, written);
        if (found.length === 0 && isWhole && layoutOf(table) !== layoutOf(written)) {
          found.push("the table has other rows or columns than the tests");
        }
        differences.push(...found.map((difference) => `${page.name}: ${difference}`));
      }
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { differences, problems };
}

const FIRST_COLUMN = "what happens when";

/** A README with tables. */
interface Page {
  path: string;
  /** From the root. */
  name: string;
  columns: readonly Behaviour[];
  title(behaviour: Behaviour): string;
}

function pagesOf(behaviours: readonly Behaviour[], root: string): Page[] {
  const own = behaviours
    .filter(({ hasRun }) => hasRun)
    .map((behaviour) => ({
      path: behaviour.example.readme,
      columns: [behaviour],
      title: () => "what was seen",
    }));
  const title = ({ example }: Behaviour) => `[${example.name}](packages/${example.name})`;
  const pages = [...own, { path: join(root, "README.md"), columns: behaviours, title }];
  return pages.map((page) => ({ ...page, name: relative(root, page.path) }));
}

/** The tables of a README, as they are written and as they should be. */
async function readTables({ path, name, columns, title }: Page): Promise<{ written: Table; table: Table }[]> {
  const places = await readTablePlaces(path, name);
  const known = columns.map(({ example }) => example.name);
  const named = places.flatMap(({ names }) => names ?? known);
  const stray = named.find((one) => !known.includes(one)) ?? known.find((one) => !named.includes(one));
  if (stray) throw new Error(`Cannot place the table of ${stray} in ${name}: no example, or no table names it`);
  return places.map(({ names, table: written }) => {
    const chosen = names?.flatMap((one) => columns.find(({ example }) => example.name === one) ?? []) ?? columns;
    return { written, table: fillIn(tableOf(chosen, title), written) };
  });
}

function tableOf(behaviours: readonly Behaviour[], title: (behaviour: Behaviour) => string): Table {
  const rows = behaviourRows.map((row) => [row, ...behaviours.map(({ cells }) => escapeCell(cells.get(row) ?? ""))]);
  return [[FIRST_COLUMN, ...behaviours.map(title)], ...rows];
}

/** Gives empty cells the words of the table that is there. */
function fillIn(table: Table, written: Table): Table {
  const [header = [], ...rows] = table;
  const filled = rows.map(([row = "", ...cells]) => {
    const words = cells.map((cell, index) => cell || (cellAt(written, row, header[index + 1]) ?? ""));
    return [row, ...words];
  });
  return [header, ...filled];
}

function compare(seen: Table, written: Table): string[] {
  if (written.length === 0) return ["there is no table yet"];
  const [header = [], ...rows] = seen;
  return rows.flatMap(([row = "", ...cells]) =>
    cells.flatMap((cell, index) => {
      const column = header[index + 1];
      const old = cellAt(written, row, column) ?? "";
      if (maskDigits(old) === maskDigits(cell)) return [];
      const where = header.length > 2 ? ` of ${column?.replace(/^\[(.*)\].*/, "$1")}` : "";
      return [`"${row}"${where}: the table says "${old}", the test saw "${cell}"`];
    }),
  );
}

function cellAt(table: Table, row: string, column = ""): string | undefined {
  const [header = []] = table;
  return table.find(([name]) => name === row)?.[header.indexOf(column)];
}

function layoutOf(table: Table): string {
  return JSON.stringify([table[0], table.map(([row]) => row)]);
}

/** A text with each figure as `#`. */
export function maskDigits(text: string): string {
  return text.replace(/\d+(?:[.,]\d+)*/g, "#");
}
