/**
 * What a benchmark is made of: groups of variants that are measured in rotation, and what they are to reach.
 *
 * @module
 */
import type { Better, Target } from "./statistics.ts";
import type { VariantOptions } from "./variant.ts";

/** One thing that is measured, in a process of its own. */
export interface Variant {
  /** Unique in its group; at most 26 characters keep the table within 80 columns. */
  name: string;
  /** A module that exports a `VariantSetup` named `setup`. */
  module: URL;
  /** What `setup` gets. */
  options?: VariantOptions;
}

/** A column of ratios. */
export interface RatioColumn {
  title: string;
  /** Which two variants stand in the row of `variant`: above the line, below the line. None: an empty cell. */
  ratio(variant: string): readonly [above: string, below: string] | undefined;
}

/** Variants that are measured in the same rounds and can be compared. */
export interface Group {
  title: string;
  /** Of all its figures: `frames/s`, `ns/byte`. */
  unit: string;
  better: Better;
  variants: readonly Variant[];
  /** The variant that is put in twice (A/A). @default the first */
  reference?: string;
  /** @default one column: each variant / the reference */
  columns?: readonly RatioColumn[];
  targets?: readonly Target[];
  /** What a reader has to know to read the figures. */
  notes?: readonly string[];
  /** All processes on one core: for round trips, never for throughput. */
  isPinned?: boolean;
  /** About how long one measurement takes. @default {100} */
  measureMs?: number;
}

/** A benchmark. */
export interface Suite {
  title: string;
  groups: readonly Group[];
}

/** How `pnpm bench` was called. */
export interface BenchSettings {
  /** Counted rounds. */
  rounds: number;
  /** Fewer rounds and short measurements: shows that it runs, no more. */
  isQuick: boolean;
  /** Prints Markdown tables for a README. */
  isMarkdown: boolean;
}

/** What the second run of the reference is called. */
export const AGAIN = " (again)";

/** The variant of a group that is put in twice. */
export function referenceOf(group: Group): string {
  return group.reference ?? group.variants[0]?.name ?? "";
}

/** All variants in the order of a round. The second run of the reference comes last: as far from the first as any two variants of a round are. */
export function withReferenceTwice(group: Group): Variant[] {
  const reference = group.variants.find((variant) => variant.name === referenceOf(group));
  if (!reference) throw new RangeError(`Cannot measure '${group.title}': no variant '${referenceOf(group)}'`);
  return [...group.variants, { ...reference, name: reference.name + AGAIN }];
}
