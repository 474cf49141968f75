/**
 * Runs test files through node:test and gives what each test did, found and failed with.
 *
 * @module
 */
import { resolve } from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { endDescendants } from "../process-tree.ts";

/** What one test did. */
export interface TestResult {
  /** Its name, after the names of the tests around it. */
  path: readonly string[];
  outcome: "passed" | "failed" | "skipped";
  /** Why it was skipped; empty when it did not say. */
  reason: string;
  /** What it said through `t.diagnostic()`. */
  diagnostics: string[];
  /** What it failed with: the error that was thrown, where there is one. */
  error?: unknown;
}

/** What one file did. */
export interface FileResult {
  file: string;
  tests: TestResult[];
  /** What the file as a whole failed with: thrown at import, no test in it, not ended by itself. */
  problem?: string;
  /** All that it printed, for whoever looks into a failure. */
  output: string;
  seconds: number;
}

/** How test files are run. */
export interface RunOptions {
  /** Files at the same time. @default {2} */
  concurrency?: number;
  /** How long one file may take before it is ended and counts as failed. @default {600_000} */
  fileTimeoutMs?: number;
  /** Aborts the run: what is running is ended, with all that it started. */
  signal?: AbortSignal;
  onStart?: (file: string) => void;
  /** Called with each file as it ends. */
  onFile?: (result: FileResult) => void;
}

/**
 * Runs each file in a process of its own. Never throws for what a test does.
 *
 * @returns One result a file, in the order of `files`.
 * @throws The signal's reason once it is aborted.
 */
export async function runFiles(files: readonly string[], options: RunOptions = {}): Promise<FileResult[]> {
  const { concurrency = 2, fileTimeoutMs = 600_000, signal, onStart, onFile } = options;
  const results: FileResult[] = [];
  const queue = [...files.entries()];

  async function work() {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, file] = next;
      onStart?.(file);
      const result = await runFile(file, fileTimeoutMs);
      signal?.throwIfAborted();
      results[index] = result;
      onFile?.(result);
    }
  }

  signal?.throwIfAborted();
  // A signal to this process alone would leave the test files running, and what they have started.
  signal?.addEventListener("abort", endDescendants);
  try {
    await Promise.all(Array.from({ length: concurrency }, work));
  } finally {
    signal?.removeEventListener("abort", endDescendants);
  }
  return results;
}

// One `run()` a file, so that each event is known to be of that file: `data.file` names where a test was *written*,
// which is another file for tests that a shared function declares.
async function runFile(file: string, timeoutMs: number): Promise<FileResult> {
  // With it, a `run()` inside a test does nothing at all.
  delete process.env["NODE_TEST_CONTEXT"];
  const startedAt = performance.now();
  const notes: Notes = { names: [], waiting: [], tests: [], output: "" };
  // Not the option `timeout`: from Node 24 on that limits each test, and a file that does not end goes on for ever.
  const limit = AbortSignal.timeout(timeoutMs);
  const events = run({ files: [file], concurrency: 1, signal: limit });
  const onOutput = ({ message }: { message: string }) => {
    notes.output += message;
  };
  events.on("test:stdout", onOutput).on("test:stderr", onOutput);
  events.on("test:diagnostic", (data) => takeDiagnostic(data, notes));
  events.on("test:enqueue", (data) => {
    if (!isWholeFile(data, file)) notes.waiting.push(data.name);
  });
  events.on("test:start", ({ name, nesting }) => {
    notes.names.splice(nesting, Number.POSITIVE_INFINITY, name);
  });
  events.on("test:pass", (data) => {
    if (!isWholeFile(data, file)) takeResult(data, notes);
  });
  events.on("test:fail", (data) => {
    if (isWholeFile(data, file)) notes.fileError = messageOf(data.details.error);
    else takeResult(data, notes);
  });
  // Nobody reads it as a stream, yet only one that flows emits.
  events.resume();
  await finished(events);

  const { tests, output } = notes;
  if (limit.aborted) notes.fileError = `it did not end within ${timeoutMs / 1000} s`;
  const problem = describeProblem(notes);
  const seconds = (performance.now() - startedAt) / 1000;
  return { file, tests, output, seconds, ...(problem === undefined ? {} : { problem }) };
}

/** What is known while a file runs. */
interface Notes {
  /** Of the tests around the one that reports. */
  names: string[];
  /** Tests that have not reported yet. */
  waiting: string[];
  tests: TestResult[];
  output: string;
  fileError?: string;
}

function takeDiagnostic(data: { message: string; file?: string | undefined }, notes: Notes): void {
  // Those without a file are the summary, and errors that came after their test.
  if (data.file !== undefined) notes.tests.at(-1)?.diagnostics.push(data.message);
  else if (data.message.startsWith("Error: ")) notes.output += `${data.message}\n`;
}

function takeResult(data: Report, notes: Notes): void {
  const place = notes.waiting.indexOf(data.name);
  if (place >= 0) notes.waiting.splice(place, 1);
  if (data.details.type === "suite") return;
  notes.tests.push(testResult([...notes.names.slice(0, data.nesting), data.name], data));
}

/** What a test passes or fails with, as node:test reports it. */
interface Report {
  name: string;
  nesting: number;
  skip?: string | boolean;
  todo?: string | boolean;
  details: { type?: "suite"; error?: Error };
}

/** For a file without tests, or one that fails as a whole, node:test reports a test with the name of the file. */
function isWholeFile({ name, nesting }: { name: string; nesting: number }, file: string): boolean {
  return nesting === 0 && resolve(name) === file;
}

function testResult(path: string[], data: Report): TestResult {
  const skip = data.skip ?? data.todo;
  const isSkipped = skip !== undefined && skip !== false;
  const error = data.details.error && thrownBy(data.details.error);
  return {
    path,
    outcome: isSkipped ? "skipped" : error === undefined ? "passed" : "failed",
    reason: typeof skip === "string" ? skip : "",
    diagnostics: [],
    ...(error === undefined ? {} : { error }),
  };
}

/** node:test wraps what was thrown. */
function thrownBy(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

function messageOf(error: unknown): string {
  const thrown = thrownBy(error);
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function describeProblem({ tests, waiting, fileError }: Notes): string | undefined {
  const names = waiting.map((name) => `"${name}"`).join(", ");
  const unfinished = names === "" ? "" : `, before the end of ${names}`;
  // node:test words it as "test failed" whatever it was; the rest is in what the file printed.
  if (fileError === "test failed") return `it threw outside of its tests or set an exit code${unfinished}`;
  if (fileError !== undefined) return fileError + unfinished;
  // A test that calls process.exit(0) takes the results with it.
  if (unfinished !== "") return `the process ended${unfinished}`;
  return tests.length === 0 ? "no test ran in this file" : undefined;
}
