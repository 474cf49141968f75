import type { FrameOptions } from "../framing.ts";

/** 1 MiB: far above a message that anybody types, far below what hurts when a thousand peers send one at once. */
export const DEFAULT_MAX_FRAME_BYTES = 1_048_576;

/** The limit, or the usual one. @throws {RangeError} for one that is none. */
export function checkLimit({ maxFrameBytes = DEFAULT_MAX_FRAME_BYTES }: FrameOptions = {}): number {
  if (Number.isInteger(maxFrameBytes) && maxFrameBytes >= 1 && maxFrameBytes <= 0xffff_ffff) return maxFrameBytes;
  throw new RangeError(`Cannot limit frames to ${maxFrameBytes} bytes: the limit is 1 to 4294967295`);
}

/** Types do not hold at run time: a string would be sent as zeros. @throws {TypeError} for what is no `Uint8Array`. */
export function checkBytes(message: unknown): void {
  if (message instanceof Uint8Array) return;
  throw new TypeError(`Cannot send message: it must be a Uint8Array, current value is of type ${typeof message}`);
}
