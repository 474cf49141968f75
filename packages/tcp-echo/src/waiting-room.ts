import { whenAborted } from "@ipc/core/when-aborted";
import type { Pipeline } from "./pipeline.ts";

/** A request while there is no connection. */
interface Waiting {
  message: Uint8Array;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  resolve(reply: Uint8Array | Promise<Uint8Array>): void;
  reject(error: unknown): void;
}

/** Where requests wait for a connection; each only as long as it may take. */
export interface WaitingRoom {
  /** What waits counts for in `maxInFlightBytes`. */
  readonly bytes: number;
  enter(request: Waiting): void;
  /** There is a connection: sends all, in order. */
  sendAll(pipeline: Pipeline): void;
  /** There will be none. */
  rejectAll(error: unknown): void;
}

/** 1 KiB: about what a timer, a promise and their callbacks take, for each that waits. */
const WAITING_BYTES = 1_024;

/** @param timeoutError What a request rejects with that waited for too long. */
export function createWaitingRoom(timeoutError: () => Error): WaitingRoom {
  const leaveAll = new Set<(settle: (request: Waiting, leftMs: number) => void) => void>();
  let bytes = 0;

  return {
    get bytes() {
      return bytes;
    },
    enter(request) {
      const deadline = performance.now() + request.timeoutMs;
      const size = request.message.length + WAITING_BYTES;
      const leave = (settle: (request: Waiting, leftMs: number) => void) => {
        clearTimeout(timer);
        forget?.();
        leaveAll.delete(leave);
        bytes -= size;
        settle(request, deadline - performance.now());
      };
      const timer = setTimeout(() => leave(({ reject }) => reject(timeoutError())), request.timeoutMs);
      const { signal } = request;
      const forget = signal && whenAborted(signal, () => leave(({ reject }) => reject(signal.reason)));
      leaveAll.add(leave);
      bytes += size;
    },
    sendAll(pipeline) {
      for (const leave of [...leaveAll]) {
        leave(({ message, signal, resolve }, leftMs) => resolve(pipeline.send(message, leftMs, signal)));
      }
    },
    rejectAll(error) {
      for (const leave of [...leaveAll]) leave(({ reject }) => reject(error));
    },
  };
}
