/**
 * Tells of what may happen a million times a second: the first at once, then at most once a second how often it was.
 *
 * @param say Gets how often it happened since it was last called, and what was given last.
 */
export function createTally<T>(say: (count: number, last: T) => void, everyMs = 1_000): Tally<T> {
  let total = 0;
  let count = 0;
  let latest: T;
  let timer: NodeJS.Timeout | undefined;

  function flush() {
    timer = undefined;
    if (count === 0) return;
    const told = count;
    count = 0;
    timer = setTimeout(flush, everyMs).unref();
    say(told, latest);
  }
  return {
    get total() {
      return total;
    },
    add(what) {
      total++;
      count++;
      latest = what;
      if (!timer) flush();
    },
    end() {
      clearTimeout(timer);
      flush();
      clearTimeout(timer);
    },
  };
}

/** Counts, and tells now and then. */
export interface Tally<T> {
  /** How often it happened in all. */
  readonly total: number;
  add(what: T): void;
  /** Tells what has not been told yet. */
  end(): void;
}
