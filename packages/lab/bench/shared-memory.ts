/**
 * The ring against `worker.postMessage`: `pnpm bench shared-memory`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "Shared memory", groups: [...throughput, roundTrip] }, settings);
}

const POST = "worker.postMessage";
const PACKED = "512 in one postMessage";
const RING = "ring";
const LARGE = "ring of 1 MiB";
const TWO = "ring, 2 writers, mutex";

const throughput: Group[] = [
  oneWay(64, [{ variant: RING, against: POST, atLeast: 10 }]),
  oneWay(1_024, []),
  oneWay(16_000, []),
];

function oneWay(messageBytes: number, targets: NonNullable<Group["targets"]>): Group {
  const isSmall = messageBytes === 64;
  return {
    title: `${messageBytes.toLocaleString("en")} B, one way`,
    unit: "messages/s",
    better: "more",
    variants: [
      post(POST, { messageBytes }),
      ...(isSmall ? [post(PACKED, { messageBytes, packed: 512 })] : []),
      ring(RING, { messageBytes }),
      ring(LARGE, { messageBytes, ringBytes: 1_048_576 }),
      ...(isSmall ? [ring(TWO, { messageBytes, writers: 2 })] : []),
    ],
    targets,
    notes: [
      "ring: 64 KiB, each message published by itself, read as a view.",
      ...(isSmall ? [`${PACKED}: copied into one buffer, cut into views behind it.`] : []),
      "postMessage holds what is on its way without a bound, a ring its size at most.",
    ],
    measureMs: 300,
  };
}

const roundTrip: Group = {
  title: "Round trip, 64 B",
  unit: "µs, median",
  better: "less",
  variants: [
    { name: POST, module: new URL("./shared-memory/post-echo.ts", import.meta.url) },
    { name: RING, module: new URL("./shared-memory/ring-echo.ts", import.meta.url) },
  ],
  notes: ["One message in flight. Not pinned: a thread that looks before it sleeps needs the other one to run."],
  measureMs: 300,
};

function post(name: string, options: Variant["options"] & object): Variant {
  return { name, module: new URL("./shared-memory/post.ts", import.meta.url), options };
}

function ring(name: string, options: Variant["options"] & object): Variant {
  return { name, module: new URL("./shared-memory/ring.ts", import.meta.url), options };
}
