/**
 * Every kind of pipe beside loopback TCP: `pnpm bench pipes`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "Pipes", groups: [plain, roundTrip, throughput] }, settings);
}

const TCP = "loopback TCP";
const UNIX = "unix socket";
const ONE = { messageBytes: 64, inFlight: 1 };
const MANY = { messageBytes: 64, inFlight: 1_000 };

const plain: Group = {
  title: "The socket alone: round trip, 64 B",
  unit: "µs, median",
  better: "less",
  variants: [bare(TCP, "tcp:"), bare(UNIX, "unix:")],
  targets: [{ variant: UNIX, against: TCP, atMost: 1.05 }],
  notes: ["Client and server on one core: net.Socket, bytes as they come, no messages."],
  isPinned: true,
  measureMs: 500,
};

const roundTrip: Group = {
  title: "Requests and replies: round trip, 64 B",
  unit: "µs, median",
  better: "less",
  variants: [
    tcpEcho(ONE),
    kind(UNIX, "unix", ONE),
    kind("anonymous pipes", "child", ONE),
    kind("FIFO pair", "fifo", ONE),
    kind("fork channel", "fork", ONE),
  ],
  targets: [{ variant: UNIX, against: TCP, atMost: 1.05 }],
  notes: ["Both processes on one core. loopback TCP is tcp-echo.", "FIFO pair: one for each direction."],
  isPinned: true,
  measureMs: 500,
};

const throughput: Group = {
  title: "Requests and replies: 64 B, 1,000 in flight",
  unit: "messages/s",
  better: "more",
  variants: [
    tcpEcho(MANY),
    kind(UNIX, "unix", MANY),
    kind("anonymous pipes", "child", MANY),
    kind("fork channel", "fork", MANY),
  ],
  measureMs: 500,
};

function bare(name: string, url: string): Variant {
  return { name, module: new URL("./pipes/bare.ts", import.meta.url), options: { ...ONE, url } };
}

function kind(name: string, module: string, options: typeof ONE): Variant {
  return { name, module: new URL(`./pipes/${module}.ts`, import.meta.url), options };
}

function tcpEcho(options: typeof ONE): Variant {
  return { name: TCP, module: new URL("./tcp-echo/ours.ts", import.meta.url), options };
}
