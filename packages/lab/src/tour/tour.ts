/**
 * The tour: every example, each as real processes, one after another.
 *
 * @module
 */
import { paint, say } from "@ipc/core/terminal";
import yoctoSpinner, { type Spinner } from "yocto-spinner";
import type { Example } from "../examples.ts";
import { type Run, runExample } from "./run-example.ts";
import { closingTable, MARKS, type Stop } from "./tour-table.ts";

/** What the tour needs to know. */
export interface TourOptions {
  /** Ends the running example and the tour: it rejects with the signal's reason. */
  signal: AbortSignal;
  /** How long one example may take. */
  timeoutMs: number;
  /** The folder that the paths in the table start from. */
  root: string;
}

/** Runs the examples in their order, shows what they print, and closes with a table. */
export async function runTour(examples: readonly Example[], options: TourOptions): Promise<Stop[]> {
  const stops: Stop[] = [];
  for (const [index, example] of examples.entries()) {
    const count = paint("dim", `${index + 1}/${examples.length}`);
    say(`${count} ${paint("bold", example.name)}\n${example.description}\n`);
    const spinner = startSpinner(example.name);
    const run = await runExample(example, { ...options, onLine: (line) => say(indent(line)) });
    spinner?.stop();
    say(`\n  ${describeRun(run)}\n`);
    options.signal.throwIfAborted();
    stops.push({ example, ...run });
  }
  say(closingTable(stops, options.root));
  say(`\n${describeAll(stops)}`);
  return stops;
}

/** Prints the name and the description of each. */
export function sayList(examples: readonly Example[]): void {
  const width = Math.max(...examples.map(({ name }) => name.length));
  for (const { name, description } of examples) say(`${paint("bold", name.padEnd(width))}  ${description}`);
}

/**
 * Picks examples by name, all of them when there are no names.
 *
 * @throws {RangeError} For a name that none of them has.
 */
export function pickExamples(examples: readonly Example[], names: readonly string[]): readonly Example[] {
  if (names.length === 0) return examples;
  return names.map((name) => {
    const found = examples.find((example) => example.name === name);
    if (found) return found;
    const known = examples.map((example) => example.name).join(", ");
    throw new RangeError(`Cannot run '${name}': the examples are ${known}`);
  });
}

/** On a terminal only: it shows that something still runs while nothing is printed. */
function startSpinner(name: string): Spinner | undefined {
  const { stdout, stderr, env } = process;
  if (!stdout.isTTY || !stderr.isTTY || env["TERM"] === "dumb" || env["CI"] !== undefined) return undefined;
  return yoctoSpinner({ text: paint("dim", `${name} is running`), handleSignals: false }).start();
}

/** One line of an example, moved in; what a terminal would break stands under the text, not under `server │`. */
function indent(line: string): string {
  const [label = ""] = /^\S+ *│ /.exec(line) ?? [];
  const text = line.slice(label.length);
  const left = 4 + label.length;
  const lines = process.stdout.isTTY ? wrap(text, Math.max(process.stdout.columns - left, 20)) : [text];
  return `    ${paint("dim", label)}${lines.join(`\n${" ".repeat(left)}`)}`.trimEnd();
}

/** Breaks between words where there are some, anywhere where there are none. */
function wrap(text: string, width: number): string[] {
  const lines = text.match(new RegExp(`.{1,${width}}(?=\\s|$)|\\S{${width}}`, "gsu")) ?? [];
  return lines.map((line, index) => (index === 0 ? line : line.trimStart()));
}

function describeRun({ result, why = "", seconds }: Run): string {
  return `${MARKS[result]()} ${paint("dim", `${seconds.toFixed(1)} s`)}  ${why}`.trimEnd();
}

function describeAll(stops: readonly Stop[]): string {
  const namesOf = (result: Run["result"]) =>
    stops.filter((stop) => stop.result === result).map(({ example }) => example.name);
  const seconds = stops.reduce((sum, stop) => sum + stop.seconds, 0).toFixed(1);
  const counts = (["passed", "failed", "skipped"] as const).flatMap((result) => {
    const names = namesOf(result);
    if (names.length === 0) return [];
    const list = result === "passed" ? "" : ` (${names.join(", ")})`;
    return `${MARKS[result]()} ${names.length} ${result}${list}`;
  });
  return `${counts.join("  ")}  ${paint("dim", `${seconds} s`)}`;
}
