/** One source for many loops, one after another. */
export interface Resumable<T> {
  /** For a loop: one that is left early does not end the source, the next goes on where it was. */
  iterate(): AsyncIterator<T, undefined, undefined>;
  /** Throws away what comes while no loop takes it. */
  discard(): Promise<void>;
}

/** A `for await` ends the generator that it leaves; loops over this do not. */
export function resumable<T>(source: AsyncGenerator<T, undefined, undefined>): Resumable<T> {
  let isTaken = false;
  return {
    iterate() {
      isTaken = true;
      return {
        next: () => source.next(),
        return() {
          isTaken = false;
          return Promise.resolve({ done: true, value: undefined });
        },
      };
    },
    async discard() {
      while (!isTaken && !(await source.next()).done);
    },
  };
}
