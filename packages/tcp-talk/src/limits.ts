import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_MAX_FRAME_BYTES, lineFraming } from "@ipc/core/framing";
import { BUSY } from "./protocol.ts";

/** What bounds a talk; the same options at either end. */
export interface TalkOptions {
  /** The longest line in bytes, in and out; at least 4. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /**
   * A machine that is gone is noticed when nothing is on its way for so long and 10 s more, in ms; 0 never, else at
   * least 1,000.
   * @default {15_000}
   */
  keepAliveMs?: number | undefined;
  /** Who takes nothing for so long, in ms, while lines wait to be sent, is cut off; 0 is no limit. @default {60_000} */
  stallTimeoutMs?: number | undefined;
  /** How long `close()` lets what is on its way come, in ms. @default {3_000} */
  graceMs?: number | undefined;
}

/** Options of a talk with none left out. */
export type TalkLimits = { [K in keyof TalkOptions]-?: NonNullable<TalkOptions[K]> };

/** Defaults of options left out. */
export const TALK_DEFAULTS = {
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  keepAliveMs: 15_000,
  stallTimeoutMs: 60_000,
  graceMs: 3_000,
} as const satisfies TalkLimits;

/** {@link TalkOptions} as flags of a program. */
export const TALK_FLAGS = {
  maxFrameBytes: { type: "number", default: TALK_DEFAULTS.maxFrameBytes, min: 4, help: "longest line" },
  keepAliveMs: { type: "number", default: TALK_DEFAULTS.keepAliveMs, help: "silence until a lost machine is noticed" },
  stallTimeoutMs: { type: "number", default: TALK_DEFAULTS.stallTimeoutMs, help: "time to take what waits" },
  graceMs: { type: "number", default: TALK_DEFAULTS.graceMs, help: "time to finish when told to stop" },
} as const;

/** Options with the defaults filled in. @throws {RangeError} for one that makes no sense. */
export function readLimits(options: TalkOptions): TalkLimits {
  const {
    maxFrameBytes = TALK_DEFAULTS.maxFrameBytes,
    keepAliveMs = TALK_DEFAULTS.keepAliveMs,
    stallTimeoutMs = TALK_DEFAULTS.stallTimeoutMs,
    graceMs = TALK_DEFAULTS.graceMs,
  } = options;
  checkDurations({ keepAliveMs, stallTimeoutMs, graceMs });
  // The system counts in seconds; what is less than one it would take for its own two hours.
  if (keepAliveMs > 0 && keepAliveMs < 1_000)
    throw new RangeError(`Cannot use keepAliveMs: current value is ${keepAliveMs}, the least is 1000`);
  lineFraming.createDecoder({ maxFrameBytes });
  if (maxFrameBytes < BUSY.length)
    throw new RangeError(`Cannot use maxFrameBytes: current value is ${maxFrameBytes}, the least is ${BUSY.length}`);
  return { maxFrameBytes, keepAliveMs, stallTimeoutMs, graceMs };
}
