/**
 * Bursts of messages to 1,000 people, against Socket.IO as it is: `pnpm bench socketio-chat`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "Socket.IO chat", groups: [bursts] }, settings);
}

const BARE = "bare Socket.IO";
const OURS = "socketio-chat";

const bursts: Group = {
  title: "Bursts of 50 messages of 64 B to 1,000 sockets",
  unit: "deliveries/s",
  better: "more",
  variants: [variant(BARE, "bare"), variant(OURS, "ours")],
  targets: [{ variant: OURS, against: BARE, atLeast: 1.5 }],
  notes: [
    "One server process, one with all the clients. One client sends the burst, everybody gets it.",
    "bare Socket.IO: io.emit() for each message, nothing is kept, acknowledged or looked at.",
  ],
  measureMs: 1_000,
};

function variant(name: string, server: string): Variant {
  return { name, module: new URL("./socketio-chat/broadcast.ts", import.meta.url), options: { server } };
}
