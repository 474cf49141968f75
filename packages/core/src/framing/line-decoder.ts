import type { Buffer } from "node:buffer";
import type { FrameDecoder, FrameError } from "../framing.ts";
import { tooLarge, truncated } from "./errors.ts";
import { asBuffer, PartialFrame, viewOf } from "./partial-frame.ts";

/** What ends a line. */
export const NEWLINE = 0x0a;

/** A class for the same reason as `LengthDecoder`. */
export class LineDecoder implements FrameDecoder {
  error: FrameError | undefined;
  readonly #maxFrameBytes: number;
  #line: PartialFrame | undefined;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  get isInsideFrame() {
    return this.#line !== undefined;
  }

  decode(chunk: Uint8Array): Uint8Array[] {
    if (this.error) throw this.error;
    const frames: Uint8Array[] = [];
    // Buffer's indexOf is three times as fast as Uint8Array's.
    const bytes = asBuffer(chunk);
    let offset = this.#line ? this.#resume(bytes, bytes.indexOf(NEWLINE), frames) : 0;
    offset = this.#takeWhole(bytes, offset, frames);
    if (offset < chunk.length) this.#resume(bytes.subarray(offset), -1, frames);
    if (this.error && frames.length === 0) throw this.error;
    return frames;
  }

  end() {
    if (this.#line) this.error ??= truncated(this.#line.bytes);
    if (this.error) throw this.error;
  }

  /** Takes the lines that lie whole in `bytes`: the hot path. Returns the offset of the first that does not. */
  #takeWhole(bytes: Buffer, start: number, frames: Uint8Array[]): number {
    const { buffer, byteOffset } = bytes;
    let offset = start;
    for (;;) {
      const newline = bytes.indexOf(NEWLINE, offset);
      if (newline === -1) return offset;
      const size = newline - offset;
      if (size > this.#maxFrameBytes) return this.#refuse(size, bytes.length);
      frames.push(new Uint8Array(buffer, byteOffset + offset, size));
      offset = newline + 1;
    }
  }

  /** Begins a line that has no end in `bytes` (`newline` is -1), or goes on with one. Returns the offset behind it. */
  #resume(bytes: Buffer, newline: number, frames: Uint8Array[]): number {
    const end = newline === -1 ? bytes.length : newline;
    const line = this.#line ?? new PartialFrame();
    this.#line = line;
    const size = line.bytes + end;
    if (size > this.#maxFrameBytes) return this.#refuse(size, bytes.length);
    const part = viewOf(bytes, 0, end);
    if (newline === -1) {
      line.add(part, this.#maxFrameBytes - line.bytes);
      return end;
    }
    frames.push(line.join(part));
    this.#line = undefined;
    return end + 1;
  }

  #refuse(frameBytes: number, offset: number): number {
    this.error = tooLarge("read", frameBytes, this.#maxFrameBytes);
    return offset;
  }
}
