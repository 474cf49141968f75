import { printable } from "@ipc/core/terminal";
import { describeBuffer } from "./describe.ts";
import type { Receiver } from "./receiver.ts";
import type { Counts } from "./streams.ts";

/** What a report shows. */
export interface ReportOptions {
  /** The receive buffer that was asked for, in bytes. */
  receiveBufferBytes: number;
  /** How often the counts are told, in ms. */
  everyMs: number;
  /** How many messages are shown each time. */
  show: number;
}

/** Reads a receiver until it is closed and tells, line by line, some of the messages and the counts that changed. */
export async function report(receiver: Receiver, options: ReportOptions, say: (line: string) => void): Promise<void> {
  let shown = 0;
  let before = new Set<string>();

  function sayCounts() {
    shown = 0;
    const rows = receiver.counts().streams.map(describeStream);
    const changed = rows.filter((line) => !before.has(line));
    if (before.size === 0 && changed.length > 0) say(row("", ["received", "lost", "reordered", "doubled"], "jitter"));
    before = new Set(rows);
    for (const line of changed.slice(-MAX_ROWS)) say(line);
    // Whoever sends from a thousand addresses is not to fill the log.
    if (changed.length > MAX_ROWS) say(`and ${changed.length - MAX_ROWS} more`);
  }

  say(describeBuffer(receiver, options.receiveBufferBytes));
  const timer = setInterval(sayCounts, options.everyMs);
  for await (const { peer, message } of receiver) {
    if (shown++ < options.show) say(`${peer} ${printable(message, 50)}`);
  }
  clearInterval(timer);
  sayCounts();
}

const MAX_ROWS = 10;

function describeStream({ peer, received, lost, reordered, doubled, jitterMs }: Counts["streams"][number]): string {
  return row(peer, [received, lost, reordered, doubled], `${jitterMs.toFixed(2)} ms`);
}

function row(peer: string, counts: (string | number)[], jitter: string): string {
  const cells = counts.map((count, index) => String(count).padStart(WIDTHS[index] ?? 0));
  return `${peer.padEnd(21)} ${cells.join("  ")}  ${jitter}`;
}

const WIDTHS = [9, 5, 9, 7];
