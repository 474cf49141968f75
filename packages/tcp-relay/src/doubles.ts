/** 100,000: a double comes at most a window (about 1,500 messages an origin) after the first. */
export const DEFAULT_MAX_IDS = 100_000;

/**
 * What has been delivered, so that what is sent again is told. Remembers the last `maxIds` at least and twice as many
 * at most: two sets of which the older is forgotten at once. (To delete the first of a large Set again and again is
 * slow: the search for it walks over the places of those deleted before.)
 */
export class Doubles {
  readonly #maxIds: number;
  #young = new Set<string>();
  #old = new Set<string>();

  /** @throws {RangeError} for less than 1. */
  constructor(maxIds: number) {
    if (!(maxIds >= 1)) throw new RangeError(`Cannot use maxIds: current value is ${maxIds}, the least is 1`);
    this.#maxIds = maxIds;
  }

  get size(): number {
    return this.#old.size + this.#young.size;
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  add(key: string): void {
    this.#young.add(key);
    if (this.#young.size < this.#maxIds) return;
    this.#old = this.#young;
    this.#young = new Set();
  }

  /** The oldest first. */
  *[Symbol.iterator](): Generator<string> {
    yield* this.#old;
    yield* this.#young;
  }
}
