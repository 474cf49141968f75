const IN_FLIGHT = 50;

/** Requests a second with 50 on their way. */
export async function requestsPerSecond(forMs: number, ask: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let requests = 0;
  async function one() {
    while (performance.now() - start < forMs) {
      await ask();
      requests++;
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  return requests / ((performance.now() - start) / 1_000);
}
