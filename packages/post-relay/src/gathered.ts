/**
 * The pieces of a body as one buffer that doubles. Not a list of pieces: each costs a hundred bytes beside its own, and a
 * peer that sends them one byte long would make a hundred MiB of one.
 */
export class Gathered {
  #bytes: Buffer = EMPTY;
  length = 0;

  push(chunk: Buffer): void {
    const length = this.length + chunk.length;
    if (this.length === 0) this.#bytes = chunk;
    else {
      if (length > this.#bytes.length) {
        const larger = Buffer.allocUnsafe(length * 2);
        this.#bytes.copy(larger, 0, 0, this.length);
        this.#bytes = larger;
      }
      chunk.copy(this.#bytes, this.length);
    }
    this.length = length;
  }

  /** All of them so far. */
  get bytes(): Buffer {
    return this.#bytes.length === this.length ? this.#bytes : this.#bytes.subarray(0, this.length);
  }
}

const EMPTY = Buffer.alloc(0);
