import { ringError } from "./ring-error.ts";

/** Options of a ring's memory. */
export interface MemoryOptions {
  /**
   * How many bytes messages and their lengths may take at a time; a power of two from 1,024 to 2^30.
   * @default {65_536}
   */
  ringBytes?: number | undefined;
  /**
   * The longest message in bytes; below half the ring, so that one that does not fit in front of its end fits behind
   * its start.
   * @default {ringBytes / 4}
   */
  maxMessageBytes?: number | undefined;
  /** How many threads write, 1 to 16. Above 1 they take turns by a mutex. @default {1} */
  writers?: number | undefined;
  /** How many threads read, 1 to 16; each message goes to one of them. @default {1} */
  readers?: number | undefined;
}

/** Defaults of options left out. */
export const MEMORY_DEFAULTS = { ringBytes: 65_536, writers: 1, readers: 1 } as const;

/**
 * Where what is, in 32-bit words. What two threads write lies 128 bytes apart: on one cache line each write of one
 * thread would take the line away from the other ("false sharing"), and CPUs fetch lines of 64 bytes in pairs.
 */
export const AT = {
  magic: 0,
  ringBytes: 1,
  maxMessageBytes: 2,
  writers: 3,
  readers: 4,
  /** See `ends.ts`. */
  flags: 8,
  writerSlots: 16,
  readerSlots: 32,
  endsBell: 64,
  /** Where the next message goes: written by the writer alone. */
  tail: 96,
  /** Where the next message comes from: written by the reader alone. */
  head: 128,
  /** See `bell.ts`. */
  dataBell: 160,
  roomBell: 192,
  /** See `mutex.ts`. */
  writeLock: 224,
  readLock: 256,
  data: 289,
} as const;

/** As many writers, and as many readers, have a slot. */
const MOST_ENDS = 16;

/**
 * A ring's memory with its sizes, read once and checked: what another thread writes over them later is not looked at.
 */
export interface RingMemory {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly ringBytes: number;
  readonly maxMessageBytes: number;
  readonly writers: number;
  readonly readers: number;
}

/**
 * Allocates the memory of a ring.
 *
 * @throws {RangeError} for sizes that make no sense.
 */
export function allocateMemory(options: MemoryOptions): SharedArrayBuffer {
  const {
    ringBytes = MEMORY_DEFAULTS.ringBytes,
    maxMessageBytes = ringBytes / 4,
    writers = MEMORY_DEFAULTS.writers,
    readers = MEMORY_DEFAULTS.readers,
  } = options;
  checkSizes({ ringBytes, maxMessageBytes, writers, readers });
  const memory = new SharedArrayBuffer(AT.data * 4 + ringBytes);
  const words = new Int32Array(memory);
  words.set([MAGIC, ringBytes, maxMessageBytes, writers, readers]);
  return memory;
}

/**
 * Reads what `createRing()` wrote, in another thread.
 *
 * @param memory As it came, by `workerData` or in a message.
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE` when it is no memory of a ring.
 */
export function readMemory(memory: unknown): RingMemory {
  if (!(memory instanceof SharedArrayBuffer)) throw noRing("it is no SharedArrayBuffer");
  if (memory.byteLength <= AT.data * 4) throw noRing(`it has ${memory.byteLength} bytes`);
  const words = new Int32Array(memory);
  const [magic, ringBytes = 0, maxMessageBytes = 0, writers = 0, readers = 0] = words;
  if (magic !== MAGIC) throw noRing("createRing() did not make it");
  checkSizes({ ringBytes, maxMessageBytes, writers, readers });
  if (memory.byteLength !== AT.data * 4 + ringBytes) throw noRing(`it has ${memory.byteLength} bytes`);
  return { buffer: memory, words, bytes: new Uint8Array(memory), ringBytes, maxMessageBytes, writers, readers };
}

/** "ring", and the layout's version. */
const MAGIC = 0x72_69_6e_01;
const LEAST_BYTES = 1_024;
const MOST_BYTES = 2 ** 30;

function checkSizes(sizes: { ringBytes: number; maxMessageBytes: number; writers: number; readers: number }): void {
  const { ringBytes } = sizes;
  // A power of two divides 2^32: an index that overflows still points to the right place.
  if (!Number.isInteger(Math.log2(ringBytes)) || ringBytes < LEAST_BYTES || ringBytes > MOST_BYTES) {
    throw outOfRange("ringBytes", ringBytes, `a power of two from ${LEAST_BYTES} to ${MOST_BYTES}`);
  }
  const most = { maxMessageBytes: ringBytes / 2 - 4, writers: MOST_ENDS, readers: MOST_ENDS };
  for (const name of ["maxMessageBytes", "writers", "readers"] as const) {
    const value = sizes[name];
    if (!Number.isInteger(value) || value < 1 || value > most[name])
      throw outOfRange(name, value, `1 to ${most[name]}`);
  }
}

function outOfRange(name: string, value: number, takes: string): RangeError {
  return new RangeError(`Cannot use ${name}: current value is ${value}, it takes ${takes}`);
}

function noRing(why: string): Error {
  return ringError("ERR_INVALID_ARG_VALUE", `Cannot open ring: ${why}`, TypeError);
}
