import { Buffer, isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { lineFraming } from "@ipc/core/framing";
import { printable } from "@ipc/core/terminal";

/** A line that ends the talk, for both. */
export const BYE = "bye";

/** What a caller is told, and then let go, while a talk is on. */
export const BUSY = "busy";

/** What a caller is told, and then let go, whose first line was not the token that the listener wants. */
export const WRONG_TOKEN = "wrong token";

/**
 * The lines of a stream, which stays open when the loop is left. A last line without a newline (`printf bye | nc`) is a
 * line as well.
 *
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, after the lines before it.
 */
export async function* readLines(input: Readable, maxFrameBytes: number | undefined): AsyncGenerator<Uint8Array> {
  const decoder = lineFraming.createDecoder({ maxFrameBytes });
  for await (const chunk of input.iterator({ destroyOnReturn: false })) {
    yield* decoder.decode(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    if (decoder.error) throw decoder.error;
  }
  if (decoder.isInsideFrame) yield* decoder.decode(Uint8Array.of(NEWLINE));
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * A line as text. A carriage return at its end belongs to the newline (telnet, `nc -C`). Of a line that is no UTF-8 the
 * bytes above 0x7f are written out as `\xff`, so that nothing is lost and nothing stops the talk. Control characters
 * stay as they came.
 */
export function parseLine(bytes: Uint8Array): string {
  const length = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, length);
  if (isUtf8(line)) return line.toString();
  return line.toString("latin1").replace(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}

/** A line as it may be shown on a terminal: whole, and what a terminal would obey written out (`\x1b`). */
export function escapeLine(line: string): string {
  return printable(Buffer.from(line), Number.POSITIVE_INFINITY);
}
