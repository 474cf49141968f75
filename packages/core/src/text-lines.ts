/**
 * Lines of text out of a byte stream: what {@link lineFraming} gives, as strings. A whole chunk is decoded at once and then
 * cut, which costs a third of making a string of every line.
 *
 * @module
 */
import { isAscii } from "node:buffer";
import { checkLimit } from "./framing/limits.ts";
import { asBuffer } from "./framing/partial-frame.ts";
import { type FrameOptions, lineFraming } from "./framing.ts";

/** Takes chunks as the network cuts them, gives whole lines of text. */
export interface TextLineDecoder {
  /**
   * The lines that `chunk` completes, without their newlines; often none.
   *
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE` for a line above the limit.
   * @throws {TypeError} `ERR_ENCODING_INVALID_ENCODED_DATA` for what is no UTF-8; none of this chunk's lines is given.
   */
  decode(chunk: Uint8Array): string[];
  /**
   * Tells the decoder that the stream has ended: clean behind a newline.
   * @throws {FrameError} `ERR_FRAME_TRUNCATED` inside a line.
   */
  end(): void;
}

/**
 * A decoder of UTF-8 lines for one stream.
 *
 * @example Cut inside a character
 * ```ts
 * import { createTextLineDecoder } from "@ipc/core/text-lines";
 *
 * const wire = new TextEncoder().encode("caf\u00e9\nagain\n");
 * const decoder = createTextLineDecoder();
 * console.log(decoder.decode(wire.subarray(0, 4)), decoder.decode(wire.subarray(4)));
 * ```
 * ```text
 * [] [ 'café', 'again' ]
 * ```
 */
export function createTextLineDecoder(options: FrameOptions = {}): TextLineDecoder {
  const maxFrameBytes = checkLimit(options);
  // Holds the line that is not whole yet, and judges what is too long or cut off.
  const partial = lineFraming.createDecoder(options);

  return {
    decode(chunk) {
      const first = partial.isInsideFrame ? chunk.indexOf(NEWLINE) + 1 : 0;
      const last = chunk.lastIndexOf(NEWLINE) + 1;
      if (last <= first) return toTexts(partial.decode(chunk));
      const text = toText(chunk, first, last - 1);
      const lines = text.split("\n");
      // A character is one byte in ASCII, and never more than three.
      const mostBytes = text.length === last - 1 - first ? 1 : 3;
      const mostLength = Math.max(longest(lines) * mostBytes, chunk.length - last);
      // The slow way tells whether one is too long, and gives those before it.
      if (chunk.length > maxFrameBytes && mostLength > maxFrameBytes) {
        return toTexts(partial.decode(chunk));
      }
      if (first > 0) lines.unshift(...toTexts(partial.decode(chunk.subarray(0, first))));
      if (last < chunk.length) partial.decode(chunk.subarray(last));
      return lines;
    },
    end() {
      partial.end();
    },
  };
}

const NEWLINE = 0x0a;
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function toTexts(lines: readonly Uint8Array[]): string[] {
  return lines.map((line) => toText(line, 0, line.length));
}

function toText(bytes: Uint8Array, start: number, end: number): string {
  // Most text is ASCII, and as such is made a string many times as fast.
  if (isAscii(bytes)) return asBuffer(bytes).toString("latin1", start, end);
  const text = asBuffer(bytes).toString("utf8", start, end);
  // U+FFFD stands for what is no UTF-8, unless it was sent as such: only the strict way tells.
  return text.includes("\ufffd") ? strict.decode(bytes.subarray(start, end)) : text;
}

function longest(lines: readonly string[]): number {
  let length = 0;
  for (const line of lines) if (line.length > length) length = line.length;
  return length;
}
