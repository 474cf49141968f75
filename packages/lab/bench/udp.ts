/**
 * A ping against a bare echo, what reliability costs on top, and what a receive buffer is worth: `pnpm bench udp`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "UDP", groups: [roundTrip, received] }, settings);
}

const BARE = "bare dgram echo";
const OURS = "udp";
const load = { messageBytes: 64, inFlight: 1 };

const roundTrip: Group = {
  title: "Round trip, 64 B",
  unit: "µs, median",
  better: "less",
  variants: [
    { name: BARE, module: new URL("./udp/bare.ts", import.meta.url), options: load },
    { name: OURS, module: new URL("./udp/ours.ts", import.meta.url), options: load },
    { name: "udp, reliable", module: new URL("./udp/reliable.ts", import.meta.url), options: load },
  ],
  targets: [{ variant: OURS, against: BARE, atMost: 1.1 }],
  notes: [
    "Both sides on one core. bare dgram echo: a connected dgram socket and a server that sends back what comes.",
    "udp: sender.ping(). udp, reliable: client.request(), with nothing lost on the way.",
  ],
  isPinned: true,
  measureMs: 500,
};

const ASKED = "4 MiB asked for";
const DEFAULT = "the system's default";

const received: Group = {
  title: "Received of 10,000 datagrams of 64 B, 64 sends at once",
  unit: "datagrams",
  better: "more",
  variants: [received64(ASKED, 4_194_304), received64(DEFAULT, 0)],
  notes: ["The sender waits for the system to take what it sends, and for nothing else."],
  measureMs: 100,
};

function received64(name: string, receiveBufferBytes: number): Variant {
  return { name, module: new URL("./udp/received.ts", import.meta.url), options: { receiveBufferBytes } };
}
