/**
 * The patterns against zeromq itself: `pnpm bench zmq`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "ZeroMQ", groups: [roundTrip, oneWay] }, settings);
}

const BARE = "REQ and REP";
const OURS = "request and reply";
const ONE = { messageBytes: 64, inFlight: 1 };

const roundTrip: Group = {
  title: "Requests and replies: round trip, 64 B",
  unit: "µs, median",
  better: "less",
  variants: [
    { name: BARE, module: new URL("./zmq/bare.ts", import.meta.url), options: ONE },
    { name: OURS, module: new URL("./zmq/ours.ts", import.meta.url), options: ONE },
  ],
  targets: [{ variant: OURS, against: BARE, atMost: 1.1 }],
  notes: ["Both processes on one core."],
  isPinned: true,
  measureMs: 500,
};

const LOOP = "PUSH and PULL";
const PLAIN = "push and pull";
const PACKED = "push and pull, packed";

const oneWay: Group = {
  title: "One way, 64 B",
  unit: "messages/s",
  better: "more",
  variants: [push(LOOP, "bare"), push(PLAIN, "plain"), push(PACKED, "packed")],
  targets: [
    { variant: PLAIN, against: LOOP, atLeast: 0.9 },
    { variant: PACKED, against: LOOP, atLeast: 15 },
  ],
  measureMs: 500,
};

function push(name: string, kind: string): Variant {
  return { name, module: new URL("./zmq/push.ts", import.meta.url), options: { messageBytes: 64, kind } };
}
