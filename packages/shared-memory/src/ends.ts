import { Bell } from "./bell.ts";
import { AT, type RingMemory } from "./memory.ts";
import { createMutex, ME } from "./mutex.ts";
import { ringError } from "./ring-error.ts";

/** The two kinds of ends of a ring. */
export type Side = "writer" | "reader";

/*
 * Who is there. Each end has a slot: free, the thread that opened it, closed in order, or lost with its thread. A lost
 * end can be opened again, by a thread that takes its place; a closed one is closed for good.
 */
const FREE = 0;
const CLOSED = -1;
const LOST = -2;

/** What holds for the whole ring; bits of one word, so that a look at it is one load. */
export const FLAG = { closing: 1, closed: 2, writersClosed: 4, readersClosed: 8 } as const;

/**
 * Takes an end for this thread.
 *
 * @returns Its slot, for {@link closeEnd}.
 * @throws {Error} `EBUSY` when all are taken · `EPIPE` when they are closed, or the ring is.
 */
export function openEnd(memory: RingMemory, side: Side): number {
  // While it is being closed a reader may still come, for what is in it.
  const refusing = side === "writer" ? FLAG.closing | FLAG.closed : FLAG.closed;
  if ((readFlags(memory) & refusing) !== 0) {
    throw ringError("EPIPE", `Cannot open ${side}: the ring is closed`);
  }
  for (const state of [FREE, LOST]) {
    for (const slot of slotsOf(memory, side)) {
      if (Atomics.compareExchange(memory.words, slot, state, ME) !== state) continue;
      ringBells(memory);
      return slot;
    }
  }
  const { open } = countEnds(memory, side);
  const most = slotsOf(memory, side).length;
  if (open > 0) throw ringError("EBUSY", `Cannot open ${side}: ${open} of ${most} are open`);
  throw ringError("EPIPE", `Cannot open ${side}: it is closed`);
}

/** Closes an end in order. */
export function closeEnd(memory: RingMemory, side: Side, slot: number): void {
  Atomics.compareExchange(memory.words, slot, ME, CLOSED);
  const isLast = countEnds(memory, side).closed === slotsOf(memory, side).length;
  if (isLast) Atomics.or(memory.words, AT.flags, side === "writer" ? FLAG.writersClosed : FLAG.readersClosed);
  ringBells(memory);
}

/** Gives up the ends and locks of a thread that has ended. Returns how many ends it had not closed. */
export function loseEnds(memory: RingMemory, holder: number): Side[] {
  const lost: Side[] = [];
  for (const side of ["writer", "reader"] as const) {
    for (const slot of slotsOf(memory, side)) {
      if (Atomics.compareExchange(memory.words, slot, holder, LOST) === holder) lost.push(side);
    }
  }
  for (const lock of [AT.writeLock, AT.readLock]) createMutex(memory.words, lock).markDead(holder);
  ringBells(memory);
  return lost;
}

/** How many ends of a kind are in which state; the rest has never been opened. */
export function countEnds(memory: RingMemory, side: Side): { open: number; lost: number; closed: number } {
  const presence = { open: 0, lost: 0, closed: 0 };
  for (const slot of slotsOf(memory, side)) {
    const state = Atomics.load(memory.words, slot);
    if (state === CLOSED) presence.closed++;
    else if (state === LOST) presence.lost++;
    else if (state !== FREE) presence.open++;
  }
  return presence;
}

/** Bits of {@link FLAG}. */
export function readFlags(memory: RingMemory): number {
  return Atomics.load(memory.words, AT.flags);
}

/** Sets a flag and wakes everybody. */
export function setFlag(memory: RingMemory, flag: number): void {
  Atomics.or(memory.words, AT.flags, flag);
  ringBells(memory);
}

function slotsOf(memory: RingMemory, side: Side): number[] {
  const [first, count] = side === "writer" ? [AT.writerSlots, memory.writers] : [AT.readerSlots, memory.readers];
  return Array.from({ length: count }, (_, index) => first + index);
}

function ringBells({ words }: RingMemory): void {
  for (const at of [AT.dataBell, AT.roomBell, AT.endsBell]) new Bell(words, at).ring();
}
