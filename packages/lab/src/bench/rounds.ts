/**
 * The order of measurements: A B C, A B C, … What slows the machine down for a second then slows down one round of
 * all, not all rounds of one.
 *
 * @module
 */
import { isWrongResult } from "./variant.ts";

/** How often everything is measured. */
export interface RoundsOptions {
  /** Rounds that count. */
  rounds: number;
  /** Rounds in front of them that do not: the JIT compiles, caches fill. */
  discarded: number;
  /** Called in front of each measurement; `round` counts from 1, the discarded ones included. */
  onMeasure?: (round: number, name: string) => void;
}

/** What came out. */
export interface RoundsResult {
  /** One figure a counted round, for each variant that gave right results. */
  figures: Map<string, number[]>;
  /** Variants that gave wrong results, and what was wrong; they are not measured any further. */
  wrong: Map<string, string>;
}

/**
 * Measures every variant once a round, never two at once.
 *
 * @throws what `measure` throws, unless it is a {@link wrongResult}.
 */
export async function measureInRounds(
  names: readonly string[],
  measure: (name: string) => Promise<number>,
  { rounds, discarded, onMeasure }: RoundsOptions,
): Promise<RoundsResult> {
  const figures = new Map<string, number[]>(names.map((name) => [name, []]));
  const wrong = new Map<string, string>();

  async function measureOnce(round: number, name: string): Promise<void> {
    onMeasure?.(round, name);
    try {
      const figure = await measure(name);
      if (round > discarded) figures.get(name)?.push(figure);
    } catch (error) {
      if (!isWrongResult(error)) throw error;
      wrong.set(name, error.message);
      figures.delete(name);
    }
  }

  for (let round = 1; round <= discarded + rounds; round++) {
    for (const name of names) {
      if (figures.has(name)) await measureOnce(round, name);
    }
  }
  return { figures, wrong };
}
