import type { FrameError } from "../framing.ts";

/** Throws when a message is longer than may be sent. */
export function checkLength(message: Uint8Array, maxFrameBytes: number): void {
  if (message.length > maxFrameBytes) throw tooLarge("send", message.length, maxFrameBytes);
}

/** Above the limit: what a peer announced, or what is to be sent. */
export function tooLarge(verb: "read" | "send", frameBytes: number, maxFrameBytes: number): FrameError {
  const text = `Cannot ${verb} frame of ${frameBytes} bytes${asText(verb, frameBytes)}: limit is ${maxFrameBytes}`;
  return frameError(new RangeError(text), "ERR_FRAME_TOO_LARGE", frameBytes, maxFrameBytes);
}

/** The stream ended inside a frame of which `frameBytes` had come. */
export function truncated(frameBytes: number): FrameError {
  const text = `Cannot read frame: the stream ended after ${frameBytes} of its bytes`;
  return frameError(new Error(text), "ERR_FRAME_TRUNCATED", frameBytes);
}

/** An error with what a {@link FrameError} has. */
export function frameError(
  error: Error,
  code: FrameError["code"],
  frameBytes: number,
  maxFrameBytes?: number,
): FrameError {
  return Object.assign(error, {
    code,
    frameBytes,
    ...(maxFrameBytes === undefined ? {} : { maxFrameBytes }),
  });
}

/** The length of an "HTTP/1.1 …" is 1213486160: whoever reads that is glad of a hint. */
function asText(verb: "read" | "send", frameBytes: number): string {
  const text = String.fromCharCode(
    frameBytes >>> 24,
    (frameBytes >>> 16) & 255,
    (frameBytes >>> 8) & 255,
    frameBytes & 255,
  );
  return verb === "read" && /^[ -~]{4}$/.test(text) ? ` ("${text}" read as a length)` : "";
}
