import { AT, type RingMemory } from "./memory.ts";
import { corrupt, GO_TO_START, readIndices, recordBytes, usedBytes } from "./record.ts";

/*
 * The whole idea. Messages lie one behind the other in a ring of bytes, each as its length (4 bytes), its content, and
 * what is missing to a multiple of 8:
 *
 *                    head                                  tail
 *     │ free         │ 5 h e l l o . . . │ 2 h i . . │     │ free        │
 *
 * `tail` counts the bytes ever written, `head` those ever read; both run on and overflow, `index & (ringBytes - 1)` is
 * the place. The writer alone stores `tail`, the reader alone stores `head`: no lock. Each keeps its own index and a
 * copy of the other's, and looks at the shared one only when by its copy the ring is full, or empty.
 *
 * Content is written by plain stores, then `tail` by Atomics.store; who sees that tail by Atomics.load sees the content
 * (ECMAScript, section 29, "Memory Model"). What is not published does not exist: a writer may die anywhere.
 */

/** Puts messages into the ring. One thread at a time. */
export class RingWriter {
  readonly #memory: RingMemory;
  #tail = 0;
  #head = 0;

  constructor(memory: RingMemory) {
    this.#memory = memory;
    this.sync();
  }

  /** Reads both indices anew: where several write, or where another one left off. */
  sync(): void {
    [this.#tail, this.#head] = readIndices(this.#memory);
  }

  /** Writes a message where the reader does not see it yet; `false` when there is no room. */
  put(message: Uint8Array): boolean {
    const { words, bytes, ringBytes } = this.#memory;
    const size = recordBytes(message.length);
    let at = this.#tail & (ringBytes - 1);
    const toEnd = ringBytes - at;
    // A message is never cut in two: the reader gets it as it lies there.
    const needed = size <= toEnd ? size : toEnd + size;
    if (ringBytes - ((this.#tail - this.#head) | 0) < needed) {
      this.#head = Atomics.load(words, AT.head);
      if (ringBytes - usedBytes(this.#memory, this.#tail, this.#head) < needed) return false;
    }
    if (size > toEnd) {
      words[AT.data + (at >> 2)] = GO_TO_START;
      at = 0;
    }
    words[AT.data + (at >> 2)] = message.length;
    bytes.set(message, AT.data * 4 + at + 4);
    const block = this.#tail >> 10;
    this.#tail = (this.#tail + needed) | 0;
    if (this.#tail >> 10 !== block) this.#claimNextLines();
    return true;
  }

  /** A cache line that the reader had takes 50 to 250 ns to come back: 16 at a time cost `publish()` as much as one. */
  #claimNextLines(): void {
    const { words, ringBytes } = this.#memory;
    if (ringBytes - ((this.#tail - this.#head) | 0) < 1_024) return;
    for (let next = 0; next < 1_024; next += 64) words[AT.data + (((this.#tail + next) & (ringBytes - 1)) >> 2)] = 0;
  }

  /** From now on the reader sees what was put. */
  publish(): void {
    Atomics.store(this.#memory.words, AT.tail, this.#tail);
  }
}

/** Takes messages out of the ring. One thread at a time. */
export class RingReader {
  readonly #memory: RingMemory;
  #tail = 0;
  #head = 0;

  constructor(memory: RingMemory) {
    this.#memory = memory;
    this.sync();
  }

  /** Reads both indices anew: where several read, or where another one left off. */
  sync(): void {
    [this.#tail, this.#head] = readIndices(this.#memory);
  }

  /** The next message as it lies in the ring, valid until `release()`; `undefined` when there is none. */
  take(): Uint8Array | undefined {
    const { buffer, words, ringBytes, maxMessageBytes } = this.#memory;
    if (this.#head === this.#tail) {
      this.#tail = Atomics.load(words, AT.tail);
      if (usedBytes(this.#memory, this.#tail, this.#head) === 0) return undefined;
    }
    let at = this.#head & (ringBytes - 1);
    // Each length is read once: what is checked is what is used, whatever another thread does to it meanwhile.
    let length = words[AT.data + (at >> 2)] ?? 0;
    if (length === GO_TO_START) {
      this.#head = (this.#head + ringBytes - at) | 0;
      at = 0;
      length = words[AT.data] ?? 0;
    }
    const size = recordBytes(length);
    if (length < 0 || length > maxMessageBytes || size > this.knownBytes || size > ringBytes - at) {
      throw corrupt(`a length is ${length}, ${this.knownBytes} bytes are left`);
    }
    this.#head = (this.#head + size) | 0;
    return new Uint8Array(buffer, AT.data * 4 + at + 4, length);
  }

  /** How much was there to be taken when it last looked: the least that is there now. */
  get knownBytes(): number {
    return (this.#tail - this.#head) | 0;
  }

  /** From now on the writer may write over what was taken. */
  release(): void {
    Atomics.store(this.#memory.words, AT.head, this.#head);
  }
}
