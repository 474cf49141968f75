import { checkDurations } from "@ipc/core/durations";
import { lineFraming } from "@ipc/core/framing";

/** Limits of a server or a client, by the name of their option. */
interface Limits {
  maxFrameBytes: number;
  maxBatch: number;
  maxInFlightBytes: number;
  maxCalls?: number;
}

/**
 * Refuses limits that make no sense when they are given, not when the first message comes.
 *
 * @param durations By the name of their option, in ms.
 * @throws {RangeError}
 */
export function checkLimits(
  { maxFrameBytes, maxBatch, maxInFlightBytes, maxCalls = 1 }: Limits,
  durations: Record<string, number>,
): void {
  checkDurations(durations);
  lineFraming.createDecoder({ maxFrameBytes });
  for (const [name, limit] of Object.entries({ maxBatch, maxInFlightBytes, maxCalls })) {
    if (!(Number.isInteger(limit) && limit >= 1)) {
      throw new RangeError(`Cannot use ${name}: current value is ${limit}, the least is 1`);
    }
  }
}

/** Options with their defaults; one that is given as undefined counts as left out. */
export function withDefaults<D extends object, O extends object>(defaults: D, options: O): D & Given<O> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.assign({ ...defaults }, Object.fromEntries(given) as Given<O>);
}

type Given<O> = { [K in keyof O]: Exclude<O[K], undefined> };
