/**
 * A typed line there and back against a bare socket: `pnpm bench tcp-talk`.
 *
 * @module
 */
import type { BenchSettings, Group } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "TCP talk", groups: [roundTrip] }, settings);
}

const BARE = "bare socket";
const OURS = "tcp-talk";

const roundTrip: Group = {
  title: "A line of 32 characters there and back",
  unit: "µs, median",
  better: "less",
  variants: [
    { name: BARE, module: new URL("./tcp-talk/bare.ts", import.meta.url) },
    { name: OURS, module: new URL("./tcp-talk/ours.ts", import.meta.url) },
  ],
  targets: [{ variant: OURS, against: BARE, atMost: 1.5 }],
  notes: ["Both sides on one core. bare socket: bytes as they come, sent back as they are, no lines."],
  isPinned: true,
  measureMs: 500,
};
