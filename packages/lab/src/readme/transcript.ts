/**
 * Compares what a program printed with what a README says it prints. What differs from run to run by nature (ports,
 * process ids, times, durations, rates) is masked on both sides.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";

/** Stands, alone on a line, for any number of lines. */
const ANY_LINES = "…";

/**
 * Tells whether the lines are as expected.
 *
 * Lines with a speaker (`server │ …`) are compared speaker by speaker: two processes that print at the same time are
 * in no order.
 *
 * @example
 * ```ts
 * import { matchesTranscript } from "../src/readme/transcript.ts";
 *
 * const expected = ["tcp-echo listening on tcp://127.0.0.1:65432", "…", "took 3 ms"];
 * const actual = ["tcp-echo listening on tcp://127.0.0.1:40123", "connected", "took 0.8 s"];
 * console.log(matchesTranscript(expected, actual));
 * ```
 * ```text
 * true
 * ```
 */
export function matchesTranscript(expected: readonly string[], actual: readonly string[]): boolean {
  const speakers = new Set([...expected, ...actual].map(speakerOf));
  return [...speakers].every((speaker) =>
    matchesInOrder(
      expected.filter((line) => isAnyLines(line) || speakerOf(line) === speaker).map(maskLine),
      actual.filter((line) => speakerOf(line) === speaker).map(maskLine),
    ),
  );
}

function isAnyLines(line: string): boolean {
  return line.trim() === ANY_LINES;
}

function speakerOf(line: string): string {
  return /^\s*(\S+) *│/.exec(line)?.[1] ?? "";
}

function matchesInOrder(expected: readonly string[], actual: readonly string[]): boolean {
  const [first, ...rest] = expected;
  if (first === undefined) return actual.length === 0;
  if (isAnyLines(first))
    return [...actual.keys(), actual.length].some((start) => matchesInOrder(rest, actual.slice(start)));
  return first === actual[0] && matchesInOrder(rest, actual.slice(1));
}

const MASKS: readonly [RegExp, string][] = [
  [/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?/g, "<time>"],
  [/\b\d{2}:\d{2}:\d{2}([.,]\d+)?\b/g, "<time>"],
  [/((?:\d{1,3}\.){3}\d{1,3}|localhost|\[[\da-f:]+\]):\d+/g, "$1:<port>"],
  [/\bpid \d+/g, "pid <pid>"],
  [/\d[\d,.]*( ?[kM])?( [a-z]+)?\/s\b/g, "<rate>"],
  [/\d+([.,]\d+)* ?(ns|µs|μs|ms|s|min)\b/g, "<duration>"],
];

/** One line with all that differs from run to run by nature replaced. */
export function maskLine(line: string): string {
  return MASKS.reduce((masked, [pattern, name]) => masked.replace(pattern, name), line);
}

/** The lines of a text, without colours, blanks at their ends and empty lines at the end. */
export function plainLines(text: string): string[] {
  const lines = stripVTControlCharacters(text)
    .split("\n")
    .map((line) => line.trimEnd());
  while (lines.at(-1) === "") lines.pop();
  return lines;
}
