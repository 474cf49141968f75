/**
 * What rounds of measurements say. Absolute figures move by a factor of 2 between runs on a shared machine; the ratio
 * of two measurements of the same round hardly does. So ratios are taken round by round, and their median is reported.
 *
 * @module
 */
import { max, median, min } from "simple-statistics";

/** The middle of some figures and how far they reach. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** What must be reached: the ratio of `variant` to one other variant, or to the best of several. */
export type Target = {
  variant: string;
  /** A name, or names: then it is the one of them with the best median. */
  against: string | readonly string[];
} & ({ atLeast: number } | { atMost: number });

/** What is called better: more messages a second, less time a byte. */
export type Better = "more" | "less";

/** The figures of each variant, one a counted round. */
export type Figures = ReadonlyMap<string, readonly number[]>;

/** Whether a target was reached. */
export interface Verdict {
  target: Target;
  /** The variant it was compared with; of several, the best. */
  against: string | undefined;
  /** Missing where one of the two could not be measured. */
  ratio: Spread | undefined;
  isReached: boolean;
}

/** Two runs of the same thing: a median ratio outside of this range says that the machine was too busy to tell. */
export const QUIET_RANGE = { min: 0.93, max: 1.07 } as const;

/** Median and range. `figures` must not be empty. */
export function spreadOf(figures: readonly number[]): Spread {
  const list = [...figures];
  return { median: median(list), min: min(list), max: max(list) };
}

/** The ratio of two variants, round by round; `undefined` unless both were measured in the same rounds. */
export function pairedRatio(figures: Figures, variant: string, against: string): Spread | undefined {
  const above = figures.get(variant) ?? [];
  const below = figures.get(against) ?? [];
  if (above.length === 0 || above.length !== below.length) return undefined;
  return spreadOf(above.map((figure, round) => figure / (below[round] ?? Number.NaN)));
}

/** The name with the best median; `undefined` when none of them was measured. */
export function bestOf(figures: Figures, names: readonly string[], better: Better): string | undefined {
  const sign = better === "more" ? -1 : 1;
  const ranked = names
    .map((name) => ({ name, figures: figures.get(name) ?? [] }))
    .filter((entry) => entry.figures.length > 0)
    .map((entry) => ({ name: entry.name, rank: sign * spreadOf(entry.figures).median }))
    .sort((a, b) => a.rank - b.rank);
  return ranked[0]?.name;
}

/** Compares with the target: the median of the paired ratios decides. */
export function judge(figures: Figures, target: Target, better: Better): Verdict {
  const names = typeof target.against === "string" ? [target.against] : target.against;
  const against = bestOf(figures, names, better);
  const ratio = against === undefined ? undefined : pairedRatio(figures, target.variant, against);
  const isReached =
    ratio !== undefined && ("atLeast" in target ? ratio.median >= target.atLeast : ratio.median <= target.atMost);
  return { target, against, ratio, isReached };
}

/** Whether two runs of the same thing (A/A) differ too much for the other ratios to be believed. */
export function isNoisy(ratio: Spread): boolean {
  return ratio.median < QUIET_RANGE.min || ratio.median > QUIET_RANGE.max;
}
