import { Buffer } from "node:buffer";
import { printable } from "@ipc/core/terminal";

/** A line that ends the talk, for both. */
export const BYE = "bye";

/** What a caller is told, and then let go, while a talk is on. */
export const BUSY = "busy";

/**
 * A line as text. A carriage return at its end belongs to the newline (telnet, `nc -C`). Bytes that are no UTF-8 are written
 * out as `\xff`, so that nothing is lost and nothing stops the talk. Control characters stay as they came.
 */
export function parseLine(bytes: Uint8Array): string {
  const length = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, length);
  const text = line.toString("utf8");
  // U+FFFD stands for what is no UTF-8, unless it was sent as such: then the slow way gives the same.
  return text.includes("\ufffd") ? line.toString("latin1").replace(NOT_ASCII, decodeSequence) : text;
}

const CARRIAGE_RETURN = 0x0d;

/** A whole character of two to four bytes (RFC 3629 section 4), or else one byte that belongs to none. */
const NOT_ASCII = new RegExp(
  [
    "[\\xc2-\\xdf][\\x80-\\xbf]",
    "\\xe0[\\xa0-\\xbf][\\x80-\\xbf]",
    "[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}",
    "\\xed[\\x80-\\x9f][\\x80-\\xbf]",
    "\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}",
    "[\\xf1-\\xf3][\\x80-\\xbf]{3}",
    "\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}",
    "[\\x80-\\xff]",
  ].join("|"),
  "g",
);

function decodeSequence(sequence: string): string {
  if (sequence.length > 1) return Buffer.from(sequence, "latin1").toString("utf8");
  return `\\x${sequence.charCodeAt(0).toString(16)}`;
}

/** A line as bytes, without its newline. */
export function formatLine(line: string): Uint8Array {
  return encoder.encode(line);
}

const encoder = new TextEncoder();

/** A line as it may be shown on a terminal: whole, and what a terminal would obey written out (`\x1b`). */
export function escapeLine(line: string): string {
  return printable(formatLine(line), Number.POSITIVE_INFINITY);
}
