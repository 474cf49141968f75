/**
 * What every variant is asked for: so many calls at once, each the first example of the specification.
 *
 * @module
 */

/** The parameters of each call of `subtract`. */
export const PARAMS = [42, 23];

/** Calls a second while `inFlight` of `request` are always on their way; each counts as `calls`. */
export async function callsPerSecond(
  forMs: number,
  request: () => Promise<unknown>,
  { inFlight = 50, calls = 1 } = {},
): Promise<number> {
  let isOver = false;
  let done = 0;
  const timer = setTimeout(() => {
    isOver = true;
  }, forMs);
  const start = performance.now();
  async function one() {
    while (!isOver) {
      await request();
      done += calls;
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one));
  clearTimeout(timer);
  return done / ((performance.now() - start) / 1_000);
}
