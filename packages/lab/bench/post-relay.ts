/**
 * A relay against posting straight to the same sink: `pnpm bench post-relay`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "POST relay", groups: [throughput, roundTrip] }, settings);
}

const DIRECT = "straight to the sink";
const RELAY = "post-relay";
const PIPELINED = "post-relay, pipelining";
const FETCH = "fastify and fetch";

const throughput: Group = {
  title: "Posts, 50 connections",
  unit: "posts/s",
  better: "more",
  variants: [
    variant(DIRECT, { inFlight: 50 }),
    variant(RELAY, { inFlight: 50, relay: "our-relay.ts", pipelining: 1 }),
    variant(PIPELINED, { inFlight: 50, relay: "our-relay.ts", pipelining: 32 }),
    variant(FETCH, { inFlight: 50, relay: "fetch-relay.ts" }),
    variant("straight to our sink", { inFlight: 50, sink: "our-sink.ts" }),
  ],
  columns: [
    { title: "x straight", ratio: (name) => [name, DIRECT] },
    { title: "x fetch", ratio: (name) => [name, FETCH] },
  ],
  targets: [
    { variant: PIPELINED, against: DIRECT, atLeast: 0.4 },
    { variant: RELAY, against: FETCH, atLeast: 4 },
  ],
  notes: [
    "Behind all but the last the same bare fastify sink, which records nothing; in front of all the same client.",
    "pipelining: 32 posts at once on a connection between relay and sink.",
  ],
  measureMs: 1_000,
};

const roundTrip: Group = {
  title: "Round trip, one post at a time",
  unit: "µs, median",
  better: "less",
  variants: [
    variant(DIRECT, { inFlight: 1 }),
    variant(RELAY, { inFlight: 1, relay: "our-relay.ts", pipelining: 1 }),
    variant(FETCH, { inFlight: 1, relay: "fetch-relay.ts" }),
  ],
  targets: [{ variant: RELAY, against: DIRECT, atMost: 3.2 }],
  notes: ["All processes on one core; the same bare fastify sink behind all."],
  isPinned: true,
  measureMs: 500,
};

function variant(name: string, options: NonNullable<Variant["options"]>): Variant {
  return { name, module: new URL("./post-relay/variant.ts", import.meta.url), options };
}
