import type { Worker } from "node:worker_threads";
import { checkDurations } from "@ipc/core/durations";
import { tell } from "@ipc/core/tell";
import { Bell } from "./bell.ts";
import { countEnds, FLAG, loseEnds, readFlags, type Side, setFlag } from "./ends.ts";
import { AT, allocateMemory, type MemoryOptions, readMemory } from "./memory.ts";

/** Options of {@link createRing}. */
export interface RingOptions extends MemoryOptions {
  /** How long `close()` waits for the ends to be closed, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. */
  onEvent?: ((event: RingEvent) => void) | undefined;
}

/** What a ring tells. */
export type RingEvent =
  /** A thread that was watched ended with an end open. Another thread may open that end now. */
  { type: "lost"; end: Side; threadId: number };

/** A ring, seen by the thread that made it. */
export interface Ring {
  /** To be handed to the threads that write and read, by `workerData` or `postMessage()`. */
  readonly memory: SharedArrayBuffer;
  /** How full it is at this moment, lengths and padding included. */
  readonly usedBytes: number;
  /**
   * Sees `worker` end: what it left open counts as lost, so that nobody waits for it. To be called when it is started.
   */
  watch(worker: Worker): void;
  /**
   * No more writes (`EPIPE`); what is in the ring is read, then the readers' messages end. Resolves when all is read
   * and all ends are closed; after `graceMs` the rest is cut off: reads throw `ECONNRESET`. May be called again.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Defaults of options left out. */
export const RING_DEFAULTS = { graceMs: 3_000 } as const;

/**
 * Makes a ring of bytes that threads of this process share. A message is read once, in the order of writing; a full
 * ring blocks its writer, an empty one its reader.
 *
 * @throws {RangeError} for sizes that make no sense.
 */
export function createRing(options: RingOptions = {}): Ring {
  const { graceMs = RING_DEFAULTS.graceMs, onEvent } = options;
  checkDurations({ graceMs });
  const buffer = allocateMemory(options);
  const memory = readMemory(buffer);
  const bell = new Bell(memory.words, AT.endsBell);

  function getUsedBytes(): number {
    const head = Atomics.load(memory.words, AT.head);
    // The other threads go on in between.
    return Math.min((Atomics.load(memory.words, AT.tail) - head) | 0, memory.ringBytes);
  }

  function isDone(): boolean {
    const isUnread = getUsedBytes() > 0 && (readFlags(memory) & FLAG.readersClosed) === 0;
    return !isUnread && countEnds(memory, "writer").open + countEnds(memory, "reader").open === 0;
  }

  async function closeAll(): Promise<void> {
    setFlag(memory, FLAG.closing);
    const deadline = performance.now() + graceMs;
    for (;;) {
      const heard = bell.listen();
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || isDone()) return setFlag(memory, FLAG.closed);
      await bell.sleepAsync(heard, leftMs);
    }
  }

  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= closeAll();
    return closed;
  };

  return {
    memory: buffer,
    get usedBytes() {
      return getUsedBytes();
    },
    watch(worker) {
      // It is -1 once the thread has ended.
      const { threadId } = worker;
      worker.once("exit", () => {
        for (const end of loseEnds(memory, threadId + 1)) tell(onEvent, { type: "lost", end, threadId });
      });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
