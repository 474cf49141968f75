/**
 * The closing table of the tour.
 *
 * @module
 */
import { relative } from "node:path";
import { paint } from "@ipc/core/terminal";
import Table from "cli-table3";
import type { Example } from "../examples.ts";
import type { Run } from "./run-example.ts";

/** One example of the tour and how it went. */
export interface Stop extends Run {
  example: Example;
}

/** The tour in one table: how each went, how to run it alone, where to read about it. At most 80 columns wide. */
export function closingTable(stops: readonly Stop[], root: string): string {
  const table = new Table({
    head: ["example", "result", "seconds", "run it alone, read about it"].map((head) => paint("dim", head)),
    colWidths: WIDTHS,
    colAligns: ["left", "left", "right", "left"],
    wordWrap: true,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
    chars: Object.fromEntries(BORDERS.map((border) => [border, ""])),
  });
  for (const { example, result, why, lastError, seconds } of stops) {
    const reason = [why, lastError].filter((part) => part !== undefined).join(": ");
    table.push([
      example.name,
      MARKS[result](),
      seconds.toFixed(1),
      [
        ...(reason === "" ? [] : [paint(result === "failed" ? "red" : "yellow", reason)]),
        `npx pnpm --filter ${example.name} start`,
        paint("dim", relative(root, example.readme)),
      ].join("\n"),
    ]);
  }
  return table.toString().replace(/ +$/gm, "");
}

const BORDERS = [
  ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
  ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid", "middle"],
];

/** How a result is shown; painted when asked, because only then it is known where it goes. */
export const MARKS: Record<Run["result"], () => string> = {
  passed: () => paint("green", "✓"),
  failed: () => paint("red", "✗"),
  skipped: () => paint("yellow", "–"),
};

/** Together 80; the widest are `shared-memory` and `npx pnpm --filter shared-memory start`. */
const WIDTHS = [15, 8, 9, 48];
