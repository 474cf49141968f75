/**
 * What every pair is asked for: so many messages on their way, each answered by another.
 *
 * @module
 */

/** A JSON text of so many bytes; or a list such as services send, of `list` objects. */
export function messageOf(messageBytes: number, list: number): unknown {
  if (list === 0) return "a".repeat(messageBytes - 2);
  return Array.from({ length: list }, (_, id) => ({
    id,
    name: `sensor ${id % 17}`,
    value: (id * 7919) % 1_000,
    unit: "kPa",
  }));
}

/** Counts answers for a while. */
export interface Meter {
  /** @returns Whether another message is to be sent. */
  onAnswer(): boolean;
  /** Microseconds for one message where one is on its way, else messages a second. */
  readonly figure: Promise<number>;
}

/** A meter for `forMs`, to be started when the first messages go out. */
export function createMeter(forMs: number, inFlight: number): Meter {
  const start = performance.now();
  let answered = 0;
  let left = inFlight;
  let resolve = (_figure: number) => {};
  const figure = new Promise<number>((settle) => {
    resolve = settle;
  });
  return {
    onAnswer() {
      answered++;
      const elapsedMs = performance.now() - start;
      if (elapsedMs < forMs) return true;
      // Those on their way are waited for, so that none is counted in the next round.
      if (--left === 0) resolve(inFlight === 1 ? (elapsedMs * 1_000) / answered : (answered / elapsedMs) * 1_000);
      return false;
    },
    figure,
  };
}
