/**
 * Messages through a relay, each acknowledged by the last peer: `pnpm bench tcp-relay`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "TCP relay", groups: [inFlight] }, settings);
}

const BARE = "one a round trip, bare";
const ONE = "one a round trip";
const OURS = "tcp-relay, 1,500 in flight";

const inFlight: Group = {
  title: "64 B through a relay, acknowledged from end to end",
  unit: "messages/s",
  better: "more",
  variants: [line(ONE, 1), bare(), line(OURS, 1_500)],
  columns: [
    { title: "x one", ratio: (variant) => [variant, ONE] },
    { title: "x bare", ratio: (variant) => [variant, BARE] },
  ],
  targets: [{ variant: OURS, against: ONE, atLeast: 10 }],
  notes: [
    "Three processes: driver, relay, final peer; a message counts when the driver has its answer.",
    "bare: plain sockets, nothing parsed or remembered, the final peer answers with a byte.",
  ],
  measureMs: 500,
};

function line(name: string, inFlight: number): Variant {
  const module = new URL("./tcp-relay/line.ts", import.meta.url);
  return { name, module, options: { messageBytes: 64, inFlight } };
}

function bare(): Variant {
  return { name: BARE, module: new URL("./tcp-relay/bare.ts", import.meta.url), options: { messageBytes: 64 } };
}
