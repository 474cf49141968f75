import type { BindOptions } from "../socket.ts";

/**
 * What the server does with a request: once for each, however often it comes. If it throws, the client's `request()`
 * rejects.
 *
 * @param peer Address and port of the client, such as `127.0.0.1:54321`. It does get packets there.
 */
export type Handler = (message: Uint8Array, peer: string) => Uint8Array | Promise<Uint8Array>;

/** Options of `startServer()`. */
export interface ServerOptions extends Omit<BindOptions, "group" | "interface"> {
  /** What answers a request. @default {(message) => message} */
  handler?: Handler | undefined;
  /**
   * More clients than this at once: the one that was silent for longest is forgotten. Those that came within the last
   * 10 s are not; while there are only such, new ones have to wait.
   * @default {1_000}
   */
  maxSessions?: number | undefined;
  /**
   * What requests and kept replies may hold, in bytes, beside one request and reply of each client; new requests on top
   * are dropped and counted: the client sends them again.
   * @default {67_108_864}
   */
  maxHeldBytes?: number | undefined;
  /** How long `close()` lets handlers finish and clients fetch their answers, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ServerEvent) => void) | undefined;
}

/** What a server tells; what may happen a million times, at most once a second, with the peer of the last one. */
export type ServerEvent =
  | { type: "connected"; peer: string }
  /** Packets that are none of ours, or damaged; what came above `maxHeldBytes` or `maxSessions`, or while closing. */
  | { type: "malformed" | "dropped"; peer: string; count: number }
  /** A handler threw, or the socket did. */
  | { type: "failed"; peer?: string; error: Error };

/** What a server counted so far. */
export interface ServerCounts {
  /** Requests the handler was called for. */
  executed: number;
  /** Copies of those: answered again, or ignored while the handler runs. */
  doubled: number;
  malformed: number;
  dropped: number;
  sessions: number;
}

/** A server that listens. */
export interface Server {
  readonly url: string;
  counts(): ServerCounts;
  /** Takes no more, lets handlers finish and clients fetch their answers within `graceMs`. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
