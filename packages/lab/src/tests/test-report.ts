/**
 * The results of tests in readable form.
 *
 * @module
 */
import { basename, relative } from "node:path";
import { inspect } from "node:util";
import { paint } from "@ipc/core/terminal";
import yoctoSpinner, { type Spinner } from "yocto-spinner";
import type { FileResult, TestResult } from "./run-files.ts";

/** How many tests did what. */
export interface Summary {
  passed: number;
  failed: number;
  skipped: number;
}

/** Counts the tests of a file; a problem of the file as a whole counts as a failed test. */
export function countOf({ tests, problem }: FileResult): Summary {
  const count = (outcome: TestResult["outcome"]) => tests.filter((test) => test.outcome === outcome).length;
  return {
    passed: count("passed"),
    failed: count("failed") + (problem === undefined ? 0 : 1),
    skipped: count("skipped"),
  };
}

/** What one file did, as lines: itself, then what was skipped and what failed, in full. */
export function describeFile(result: FileResult, counts: Summary, root: string): string[] {
  const mark = counts.failed === 0 ? paint("green", "✓") : paint("red", "✗");
  const parts = Object.entries(counts).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
  const name = relative(root, result.file);
  const lines = [`${mark} ${name}  ${parts.join(", ")}  ${result.seconds.toFixed(1)} s`];
  for (const test of result.tests) {
    if (test.outcome === "skipped") lines.push(`  - ${nameOf(test)}: skipped, ${test.reason || "without a reason"}`);
    if (test.outcome === "failed") {
      lines.push(paint("red", `  ✗ ${nameOf(test)} (${name})`), indent(describe(test.error)));
    }
  }
  if (result.problem !== undefined) lines.push(paint("red", `  ✗ ${name}`), indent(result.problem));
  if (counts.failed > 0 && result.output.trim() !== "") {
    lines.push("    It printed:", indent(result.output.trimEnd()));
  }
  return lines;
}

function nameOf({ path }: TestResult): string {
  return path.join(" > ");
}

function describe(error: unknown): string {
  if (typeof error === "string") return error;
  // What node:test itself does on the way to the test helps nobody.
  return inspect(error, { depth: 8 }).replace(/\n +at .*node:(internal|async_hooks).*/g, "");
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}

/** On a terminal: which files are running, in one line under the results. Elsewhere nothing. */
export function showProgress(total: number) {
  const spinner: Spinner | undefined =
    process.stdout.isTTY && process.stderr.isTTY ? yoctoSpinner({ handleSignals: false }).start() : undefined;
  const running = new Set<string>();
  let done = 0;
  const show = () => {
    if (spinner) spinner.text = `${done} of ${total}: ${[...running].map((name) => basename(name)).join(", ")}`;
  };
  return {
    start(name: string) {
      running.add(name);
      show();
    },
    clear: () => spinner?.clear(),
    end(name: string) {
      running.delete(name);
      done += 1;
      show();
    },
    stop: () => spinner?.stop(),
  };
}
