import { Buffer } from "node:buffer";

/** 16 KiB: a part at least this long is kept where it lies; it pins at most four times its size (a 64 KiB chunk). */
const KEPT_WHOLE_BYTES = 16_384;
/** 4 KiB: below this memory comes from Buffer's pool, and a frame gets all of its own at once: nothing to join. */
const POOLED_BYTES = 4_096;
/** Room for the first small part of a frame: what most headers with the start of a message need. */
const FIRST_BLOCK_BYTES = 64;

/**
 * The parts of one frame until it is whole. Long parts are kept by reference and copied once, when the frame is joined.
 * Small ones are copied together first: a Buffer object costs about 100 bytes, so a peer that sends its frame byte by
 * byte would otherwise make us hold a hundred times what it sent.
 */
export class PartialFrame {
  bytes = 0;
  readonly #parts: Uint8Array[] = [];
  #block: Uint8Array | undefined;
  #blockUsed = 0;

  /** `room` is how many bytes can still come, this part with them: no block is larger. */
  add(part: Uint8Array, room: number) {
    if (part.length >= KEPT_WHOLE_BYTES) {
      this.#seal();
      this.#parts.push(part);
    } else if (part.length > 0) {
      if (!this.#block || this.#block.length - this.#blockUsed < part.length) {
        this.#seal();
        const doubled = Math.min(Math.max(FIRST_BLOCK_BYTES, this.bytes), KEPT_WHOLE_BYTES, room);
        this.#block = Buffer.allocUnsafe(room < POOLED_BYTES ? room : Math.max(doubled, part.length));
      }
      this.#block.set(part, this.#blockUsed);
      this.#blockUsed += part.length;
    }
    this.bytes += part.length;
  }

  /** The whole frame. */
  join(last: Uint8Array): Uint8Array {
    const wholeBytes = this.bytes + last.length;
    if (this.#parts.length === 0 && this.#block?.length === wholeBytes) {
      this.#block.set(last, this.#blockUsed);
      return viewOf(this.#block, 0, wholeBytes);
    }
    this.#seal();
    const whole = Buffer.allocUnsafe(wholeBytes);
    let offset = 0;
    for (const part of this.#parts) {
      whole.set(part, offset);
      offset += part.length;
    }
    whole.set(last, offset);
    return viewOf(whole, 0, whole.length);
  }

  #seal() {
    if (this.#block && this.#blockUsed > 0) this.#parts.push(viewOf(this.#block, 0, this.#blockUsed));
    this.#block = undefined;
    this.#blockUsed = 0;
  }
}

/** A part of `bytes`, not a copy. Not subarray(): a plain view of a Buffer's memory is made twice as fast as another Buffer. */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

/** The same memory with the methods of a Buffer; what comes from a socket is one already. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
