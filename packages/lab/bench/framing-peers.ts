/**
 * What each decoder does where it is easy to lose a frame: every cell is run, not read. `pnpm bench framing-peers`.
 *
 * @module
 */
import { paint, say } from "@ipc/core/terminal";
import { markdownTable } from "markdown-table";
import type { BenchSettings } from "../src/bench/group.ts";
import { alignedTable } from "../src/bench/table.ts";
import { type Candidate, candidates } from "./framing/candidates.ts";
import {
  announcesHugeFrame,
  type Cell,
  dropsEmptyFrames,
  endsInsideFrame,
  failsBehindFrames,
  findsLimit,
  losesFramesAtEnd,
  losesFramesWhenSlow,
} from "./framing/checks.ts";

/** One question, asked of each. */
interface Question {
  title: string;
  meaning: string;
  ask(candidate: Candidate): Promise<Cell>;
}

/** How many of the questions, the first ones, are about frames that are lost. */
const LOSS_QUESTIONS = 4;

const questions: readonly Question[] = [
  { title: "slow", meaning: "100 frames, read slowly by `for await`", ask: losesFramesWhenSlow },
  { title: "empty", meaning: "empty frames among others", ask: dropsEmptyFrames },
  { title: "end", meaning: "the stream ends with the last 8 frames", ask: losesFramesAtEnd },
  { title: "reset", meaning: "it fails after 8 frames came, 1 was read", ask: failsBehindFrames },
  { title: "limit", meaning: "longest frame by default (tried: 80 MiB)", ask: findsLimit },
  { title: "EOF", meaning: "the stream ends inside a frame", ask: endsInsideFrame },
  {
    title: "huge",
    meaning:
      "2 GiB are announced, or 8 MiB come without a newline:\n    refused, buffered, or room made for all of it at once",
    ask: announcesHugeFrame,
  },
];

/** Asks and prints. It takes no rounds: nothing here is a speed. */
export async function run({ isMarkdown }: BenchSettings): Promise<void> {
  const rows: { name: string; cells: Cell[] }[] = [];
  for (const candidate of candidates) {
    const cells: Cell[] = [];
    for (const question of questions) cells.push(await question.ask(candidate));
    rows.push({ name: candidate.name, cells });
  }
  const head = ["decoder", ...questions.map((question) => question.title)];
  if (isMarkdown) {
    say(markdownTable([head, ...rows.map(({ name, cells }) => [name, ...cells.map(formatCell)])]));
  } else {
    // Two tables, to keep them within 80 columns.
    for (const [from, to] of [
      [0, LOSS_QUESTIONS],
      [LOSS_QUESTIONS, questions.length],
    ] as const) {
      const shown = rows.map(({ name, cells }) => [name, ...cells.slice(from, to).map(formatCell)]);
      say(`${alignedTable(["decoder", ...head.slice(from + 1, to + 1)], shown, "left")}\n`);
    }
  }
  const notes = [...questions, { title: "*", meaning: "frames as objects, by an option of the stream" }];
  for (const { title, meaning } of notes) say(isMarkdown ? `- **${title}**: ${meaning}` : `  ${title}: ${meaning}`);
}

function formatCell({ isGood, word }: Cell): string {
  return isGood ? `${paint("green", "✓")} ${word}` : `${paint("red", "✗")} ${word}`;
}
