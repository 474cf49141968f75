import { printable } from "@ipc/core/terminal";
import { describeBuffer } from "./describe.ts";
import type { Receiver } from "./receiver.ts";

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
    const rows = receiver.counts().streams.map(({ peer, received, lost, reordered, doubled, jitterMs }) => {
      const counts = [received, lost, reordered, doubled].map((count, index) =>
        `${count}`.padStart(WIDTHS[index] ?? 0),
      );
      return `${peer.padEnd(21)}${counts.join("")}  ${jitterMs.toFixed(2)} ms`;
    });
    const changed = rows.filter((row) => !before.has(row));
    if (before.size === 0 && changed.length > 0) say(HEAD);
    before = new Set(rows);
    for (const row of changed.slice(-MAX_ROWS)) say(row);
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
const HEAD = `${" ".repeat(21)}  received   lost  reordered  doubled  jitter`;
const WIDTHS = [10, 7, 11, 9];
