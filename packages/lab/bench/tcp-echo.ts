/**
 * A framed echo against a plain one: `pnpm bench tcp-echo`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";
import { findBinary } from "../src/needs.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  const hasSockperf = (await findBinary("sockperf")) !== undefined;
  await runSuite({ title: "TCP echo", groups: [roundTrip(hasSockperf), ...throughput] }, settings);
}

const RAW = "raw echo";
const OURS = "tcp-echo";
const NAIVE = "one write a message";

function roundTrip(hasSockperf: boolean): Group {
  const options = { messageBytes: 64, inFlight: 1 };
  return {
    title: "Round trip, 64 B",
    unit: "µs, median",
    better: "less",
    variants: [raw(options), ours(options), naive(options), ...(hasSockperf ? [sockperf(64)] : [])],
    targets: [{ variant: OURS, against: RAW, atMost: 1.1 }],
    notes: [
      "Client and server on one core. raw echo: net.Socket, bytes as they come, no messages.",
      ...(hasSockperf ? ["sockperf: the same between two C programs."] : []),
    ],
    isPinned: true,
    measureMs: 500,
  };
}

const throughput: Group[] = [
  inFlight("64 B, 1,000 in flight", { messageBytes: 64, inFlight: 1_000 }, 0.25),
  inFlight("1 KiB, 256 in flight", { messageBytes: 1_024, inFlight: 256 }, 0.55),
  inFlight("64 KiB, 16 in flight", { messageBytes: 65_536, inFlight: 16 }, 0.6),
];

function inFlight(title: string, options: { messageBytes: number; inFlight: number }, atLeast: number): Group {
  const isSmall = options.messageBytes === 64;
  return {
    title,
    unit: "messages/s",
    better: "more",
    variants: [raw(options), ours(options), naive(options)],
    columns: [
      { title: `x ${RAW}`, ratio: (variant) => [variant, RAW] },
      { title: `x ${NAIVE}`, ratio: (variant) => [variant, NAIVE] },
    ],
    targets: [
      { variant: OURS, against: RAW, atLeast },
      ...(isSmall ? [{ variant: OURS, against: NAIVE, atLeast: 8 }] : []),
    ],
    notes: [`${NAIVE}: the same frames, decoded the same, each written by itself on both sides.`],
    measureMs: 500,
  };
}

function raw(options: { messageBytes: number; inFlight: number }): Variant {
  return { name: RAW, module: new URL("./tcp-echo/raw.ts", import.meta.url), options };
}

function ours(options: { messageBytes: number; inFlight: number }): Variant {
  return { name: OURS, module: new URL("./tcp-echo/ours.ts", import.meta.url), options };
}

function naive(options: { messageBytes: number; inFlight: number }): Variant {
  return { name: NAIVE, module: new URL("./tcp-echo/naive.ts", import.meta.url), options };
}

function sockperf(messageBytes: number): Variant {
  const module = new URL("./tcp-echo/sockperf.ts", import.meta.url);
  return { name: "sockperf (C)", module, options: { messageBytes } };
}
