/**
 * What a pipe takes in one piece, never mixed with what others write (POSIX: PIPE_BUF, at least 512 bytes; Linux has
 * 4,096): a line with its newline.
 */
export const MAX_LINE_BYTES = (process.platform === "linux" ? 4_096 : 512) - 1;

/** A line, or why it is none. */
export type Line = { text: string } | { error: Error };

/**
 * Cuts what comes out of a FIFO into lines. Many write into it, so a line that is wrong must not spoil those after it:
 * what a decoder for one peer (`@ipc/core/framing`) does not go on from, this skips.
 *
 * @returns What takes a chunk and gives the lines that it completes.
 */
export function createLineSplitter(): (chunk: Uint8Array) => Line[] {
  let rest: Uint8Array = new Uint8Array(0);
  let skippedBytes = 0;

  return (chunk) => {
    const lines: Line[] = [];
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      lines.push(toLine(take(chunk.subarray(from, to)), skippedBytes));
      rest = new Uint8Array(0);
      skippedBytes = 0;
      from = to + 1;
    }
    rest = take(chunk.subarray(from));
    if (rest.length > MAX_LINE_BYTES) {
      // Counted, not kept: memory stays bounded however long it is.
      skippedBytes += rest.length;
      rest = new Uint8Array(0);
    }
    return lines;
  };

  function take(part: Uint8Array): Uint8Array {
    return rest.length === 0 ? part : Buffer.concat([rest, part]);
  }
}

const NEWLINE = 0x0a;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function toLine(line: Uint8Array, skippedBytes: number): Line {
  const lineBytes = line.length + skippedBytes;
  if (lineBytes > MAX_LINE_BYTES) return { error: lineTooLong("read", lineBytes) };
  try {
    return { text: utf8.decode(line) };
  } catch (cause) {
    return { error: new TypeError(`Cannot read line of ${lineBytes} bytes: it is no UTF-8`, { cause }) };
  }
}

/** The bytes of a line with its newline. @throws {FrameError}-like errors for what is no line. */
export function encodeLine(text: string): Uint8Array {
  const line = new TextEncoder().encode(`${text}\n`);
  if (line.length - 1 > MAX_LINE_BYTES) throw lineTooLong("send", line.length - 1);
  if (line.indexOf(NEWLINE) === line.length - 1) return line;
  throw Object.assign(new TypeError("Cannot send line: there is a newline in it"), { code: "ERR_FRAME_DELIMITER" });
}

function lineTooLong(verb: "read" | "send", frameBytes: number): Error {
  const text = `Cannot ${verb} line of ${frameBytes} bytes: limit is ${MAX_LINE_BYTES}, what a pipe takes in one piece`;
  const code = "ERR_FRAME_TOO_LARGE";
  return Object.assign(new RangeError(text), { code, frameBytes, maxFrameBytes: MAX_LINE_BYTES });
}
