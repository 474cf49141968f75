/**
 * Decoding frames: ours and the packages that do the same, out of 64 KiB chunks cut anywhere. `pnpm bench framing`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";
import type { VariantOptions } from "../src/bench/variant.ts";
import { CHUNK_BYTES } from "./framing/wire.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Measures and prints. */
export function run(settings: BenchSettings): Promise<void> {
  return runSuite({ title: "Decoding frames", groups }, settings);
}

const LENGTH_PEERS = [
  "frame-stream",
  "length-prefixed-stream",
  "length-prefix-framed-stream",
  "msgpackr",
  "it-length-prefixed",
];

const LENGTH_NOTES = [
  "All give each frame in one piece but it-length-prefixed, which gives a list of pieces; '+ joined' makes one of them.",
  "Each peer in the faster of its ways: streams in object mode, it-length-prefixed over a list.",
];

const LINE_NOTES = [
  "split2 gives strings: 'ours, text' does so too and is held against it. 'ours, bytes' is lineFraming.",
];

const oursAgainstEach = {
  title: "ours / it",
  ratio: (variant: string) => ["ours", variant] as const,
};

const groups: Group[] = [
  lengthGroup("64 B", 64, 4 * MIB, { against: LENGTH_PEERS, atLeast: 2 }),
  lengthGroup("1 KiB", KIB, 16 * MIB, { against: LENGTH_PEERS, atLeast: 3 }),
  lengthGroup("4 MiB", 4 * MIB, 32 * MIB, { against: "frame-stream", atLeast: 5 }),
  linesGroup("64 B", 64, 4 * MIB, 1.5),
  linesGroup("1 KiB", KIB, 16 * MIB, 1.5),
  linesGroup("4 MiB", 4 * MIB, 16 * MIB, 15),
  flatnessGroup("length"),
  flatnessGroup("lines"),
];

function lengthGroup(
  size: string,
  frameBytes: number,
  wireBytes: number,
  target: { against: string | string[]; atLeast: number },
): Group {
  const wire = { frameBytes, wireBytes };
  return {
    title: `Length in front, ${size}`,
    unit: "frames/s",
    better: "more",
    variants: [
      ours("ours", { ...wire, framing: "length" }),
      ...LENGTH_PEERS.map((peer) => theirs(peer, wire)),
      { ...theirs("it-length-prefixed", { ...wire, isJoined: true }), name: "it-length-prefixed + joined" },
      floor(wire),
    ],
    columns: [oursAgainstEach],
    targets: [{ variant: "ours", ...target }],
    notes: LENGTH_NOTES,
  };
}

function linesGroup(size: string, frameBytes: number, wireBytes: number, atLeast: number): Group {
  const wire = { frameBytes, wireBytes };
  return {
    title: `Lines, ${size}`,
    unit: "frames/s",
    better: "more",
    variants: [
      ours("ours, bytes", { ...wire, framing: "lines" }),
      ours("ours, text", { ...wire, framing: "lines", isText: true }),
      theirs("split2", wire),
      { ...theirs("split2", { ...wire, isAwaited: true }), name: "split2, for await" },
      floor(wire),
    ],
    columns: [{ title: "it / split2", ratio: (variant) => [variant, "split2"] }],
    targets: [{ variant: "ours, text", against: "split2", atLeast }],
    notes: LINE_NOTES,
  };
}

/** The same bytes in frames of other sizes: what a byte costs must not grow with the frame it is in. */
function flatnessGroup(framing: "length" | "lines"): Group {
  const sizes = { "1 KiB": KIB, "64 KiB": 64 * KIB, "1 MiB": MIB, "4 MiB": 4 * MIB };
  const allSizes = Object.entries({ ...sizes, "16 MiB": 16 * MIB, "64 MiB": 64 * MIB });
  return {
    title: `Flatness (${framing === "length" ? "length in front" : "lines"})`,
    unit: "ns/byte",
    better: "less",
    variants: allSizes.flatMap(([size, frameBytes]) => {
      // Far more than any cache, for all sizes alike.
      const wire = { frameBytes, wireBytes: 128 * MIB, unit: "ns/byte" };
      const module = new URL("./framing/copy-floor.ts", import.meta.url);
      return [ours(`ours, ${size}`, { ...wire, framing }), { name: `copy, ${size}`, module, options: wire }];
    }),
    columns: [
      {
        title: "it / copy",
        ratio: (variant) => (variant.startsWith("ours") ? [variant, variant.replace("ours", "copy")] : undefined),
      },
      {
        title: "it / 1 KiB",
        ratio: (variant) => [variant, variant.startsWith("ours") ? "ours, 1 KiB" : "copy, 1 KiB"],
      },
    ],
    notes: [
      "copy: the floor. The same chunks copied once into fresh memory of the frame's size.",
      "Frames that lie whole in a chunk (1 KiB) are views and cost no copy at all.",
    ],
  };
}

function ours(name: string, options: VariantOptions): Variant {
  return { name, module: new URL("./framing/ours.ts", import.meta.url), options };
}

/** What cannot be saved: an object for a small frame, a copy for one that no chunk holds. */
function floor(wire: { frameBytes: number; wireBytes: number }): Variant {
  const isSmall = wire.frameBytes < CHUNK_BYTES;
  return {
    name: isSmall ? "floor: one view a frame" : "floor: one copy a frame",
    module: new URL(isSmall ? "./framing/view-floor.ts" : "./framing/copy-floor.ts", import.meta.url),
    options: wire,
  };
}

function theirs(peer: string, options: VariantOptions): Variant {
  const module = peer === "it-length-prefixed" ? "./framing/iterable-peer.ts" : "./framing/stream-peer.ts";
  return { name: peer, module: new URL(module, import.meta.url), options: { ...options, peer } };
}
