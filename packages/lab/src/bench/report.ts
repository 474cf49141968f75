/**
 * Tables of figures: aligned text for a terminal or a file, Markdown for a README.
 *
 * @module
 */
import { paint } from "@ipc/core/terminal";
import { markdownTable } from "markdown-table";
import { AGAIN, type Group, type RatioColumn, referenceOf } from "./group.ts";
import type { RoundsResult } from "./rounds.ts";
import {
  isNoisy,
  judge,
  pairedRatio,
  QUIET_RANGE,
  type Spread,
  spreadOf,
  type Target,
  type Verdict,
} from "./statistics.ts";
import { alignedTable } from "./table.ts";

/** How a group is shown. */
export interface ReportOptions {
  isMarkdown: boolean;
  unpinned?: string | undefined;
}

/** The head of a benchmark: its title and the machine. */
export function formatHead(title: string, machine: string, { isMarkdown }: ReportOptions): string {
  return isMarkdown ? `## ${title}\n\n${machine}\n` : `${paint("bold", title)}\n${machine}\n`;
}

/** The table of a group, then its targets, whether the machine was quiet, and its notes. */
export function formatGroup(group: Group, result: RoundsResult, options: ReportOptions): string {
  const reference = referenceOf(group);
  const columns = group.columns ?? [{ title: `x ${reference}`, ratio: (variant) => [variant, reference] as const }];
  const head = [`${group.title}`, group.unit, ...columns.map((column) => column.title)];
  const names = [...group.variants.map((variant) => variant.name), reference + AGAIN];
  const rows = names.map((name) => formatRow(name, columns, result));
  const lines = [
    ...(group.targets ?? []).map((target) => formatVerdict(judge(result.figures, target, group.better))),
    ...[...result.wrong].map(([name, what]) => `${paint("red", "✗")} ${name} is not measured: ${what}`),
    formatNoise(reference, result),
    ...(options.unpinned ? [paint("yellow", `Not pinned to one core: ${options.unpinned}`)] : []),
    ...(group.notes ?? []),
  ];
  if (options.isMarkdown) {
    const align = head.map((_, column) => (column === 0 ? "l" : "r"));
    return `${markdownTable([head, ...rows], { align })}\n\n${lines.map((line) => `- ${line}`).join("\n")}\n`;
  }
  return `${alignedTable(head, rows)}\n${lines.map((line) => wrap(`  ${line}`)).join("\n")}\n`;
}

function formatRow(name: string, columns: readonly RatioColumn[], result: RoundsResult): string[] {
  if (result.wrong.has(name)) return [name, "wrong", ...columns.map(() => "")];
  const figures = result.figures.get(name) ?? [];
  return [
    name,
    figures.length === 0 ? "" : formatFigure(spreadOf(figures).median),
    ...columns.map((column) => {
      const [above, below] = column.ratio(name) ?? [];
      if (above === undefined || below === undefined) return "";
      if (above === below) return "1";
      const ratio = pairedRatio(result.figures, above, below);
      return ratio ? formatSpread(ratio) : "";
    }),
  ];
}

function formatVerdict({ target, against, ratio, isReached }: Verdict): string {
  const others = typeof target.against === "string" ? target.against : `the best of them (${against ?? "none"})`;
  const reached = ratio ? formatSpread(ratio) : "not measured";
  const sign = isReached ? paint("green", "✓") : paint("red", "✗");
  return `${sign} ${target.variant}: ${formatBound(target)} x ${others}: ${reached}`;
}

function formatBound(target: Target): string {
  return "atLeast" in target ? `at least ${target.atLeast}` : `at most ${target.atMost}`;
}

function formatNoise(reference: string, result: RoundsResult): string {
  const ratio = pairedRatio(result.figures, reference + AGAIN, reference);
  if (!ratio) return paint("yellow", `A/A not measured: ${reference} failed`);
  const text = `A/A ${formatSpread(ratio)}`;
  if (!isNoisy(ratio)) return `${text}: quiet`;
  return paint("yellow", `${text}: NOISY, outside of ${QUIET_RANGE.min}..${QUIET_RANGE.max}; do not quote this run`);
}

function formatSpread({ median, min, max }: Spread): string {
  return `${formatRatio(median)} (${formatRatio(min)}..${formatRatio(max)})`;
}

function formatRatio(ratio: number): string {
  if (ratio < 0.1) return String(Number(ratio.toPrecision(2)));
  return ratio >= 100 ? ratio.toFixed(0) : ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2);
}

/**
 * Three digits, with k, M or G where there are more.
 *
 * @example
 * ```ts
 * import { formatFigure } from "../src/bench/report.ts";
 *
 * console.log(formatFigure(1_234_567), formatFigure(0.0712));
 * ```
 * ```text
 * 1.23 M 0.0712
 * ```
 */
export function formatFigure(figure: number): string {
  const digits = Number(figure.toPrecision(3));
  const [unit, divisor] =
    digits >= 1e9 ? [" G", 1e9] : digits >= 1e6 ? [" M", 1e6] : digits >= 1e4 ? [" k", 1e3] : ["", 1];
  return `${Number((digits / divisor).toPrecision(3))}${unit}`;
}

function wrap(text: string, width = 78): string {
  if (text.length <= width) return text;
  const cut = text.lastIndexOf(" ", width);
  return cut <= 2 ? text : `${text.slice(0, cut)}\n${wrap(`    ${text.slice(cut + 1)}`, width)}`;
}
