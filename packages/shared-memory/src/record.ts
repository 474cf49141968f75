import { AT, type RingMemory } from "./memory.ts";
import { ringError } from "./ring-error.ts";

/** In place of a length: the next message is at the ring's start. */
export const GO_TO_START = -1;

/**
 * What a message takes: its length, its content, and up to the next multiple of 8. The data begin 4 bytes in front of
 * one, so content lies at one: V8 copies shared memory 8 bytes at a time there, elsewhere byte by byte.
 */
export function recordBytes(length: number): number {
  return (length + 11) & ~7;
}

/**
 * The shared indices, `[tail, head]`; one of them is the caller's own and stands still.
 * @throws {Error} `ERR_RING_CORRUPT`.
 */
export function readIndices(memory: RingMemory): [tail: number, head: number] {
  const tail = Atomics.load(memory.words, AT.tail);
  const head = Atomics.load(memory.words, AT.head);
  usedBytes(memory, tail, head);
  if (((tail | head) & 7) !== 0) throw corrupt(`head is ${head}, tail is ${tail}`);
  return [tail, head];
}

/**
 * How much is in the ring. The difference of two indices is right even when one of them has overflowed.
 *
 * @throws {Error} `ERR_RING_CORRUPT` when that cannot be.
 */
export function usedBytes({ ringBytes }: RingMemory, tail: number, head: number): number {
  const used = (tail - head) | 0;
  if (used < 0 || used > ringBytes) throw corrupt(`head is ${head}, tail is ${tail}`);
  return used;
}

/** Another thread wrote over what is not its own: nothing in the ring can be trusted from here on. */
export function corrupt(what: string): Error {
  return ringError("ERR_RING_CORRUPT", `Cannot use ring: no writer of ours wrote what is in it: ${what}`);
}
