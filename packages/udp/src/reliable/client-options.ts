import { DEFAULT_WAIT_MS } from "@ipc/core/retry";

/** Options of `connect()`. */
export interface ClientOptions {
  /** How long a request may take with all its repetitions, in ms. @default {5_000} */
  timeoutMs?: number | undefined;
  /** How long to wait for a server that is not there yet, in ms; 0 asks once. @default {10_000} */
  waitMs?: number | undefined;
  /** The longest pause between two tries of a request, in ms. @default {1_000} */
  maxPauseMs?: number | undefined;
  /** How many requests are on their way at once; the others wait. @default {64} */
  maxInFlight?: number | undefined;
  /**
   * How much may have no reply, in bytes: a request counts as its message and 1,024, waiting or on its way.
   * @default {67_108_864}
   */
  maxInFlightBytes?: number | undefined;
  /** How long `close()` waits for the replies it is owed, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** Ends the waiting in `connect()`. */
  signal?: AbortSignal | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** What a client tells. */
export type ClientEvent =
  /** Nobody is there yet; said once a wait. */
  | { type: "waiting"; url: string; error: Error }
  | { type: "connected"; url: string }
  /** The server knows nothing of us any more: it was started anew, or has forgotten us. */
  | { type: "disconnected"; url: string; error: Error }
  /** Nobody is there for what was sent; said at most once a second. Not every network says so. */
  | { type: "unreachable"; url: string; count: number };

/** Options of a single request. */
export interface RequestOptions {
  /** Instead of the client's `timeoutMs`. */
  timeoutMs?: number | undefined;
  /** Ends the waiting for this reply. What was sent is sent. */
  signal?: AbortSignal | undefined;
}

/** Somebody who sends requests to one server. */
export interface Client {
  readonly url: string;
  /**
   * Sends a request, again and again until its reply is there. When it resolves, the server has done it exactly once;
   * when it rejects, at most once. Many may be on their way; each stands for itself, they are done in no order.
   *
   * @throws {Error} `ETIMEDOUT` no reply in time · `ECONNRESET` the server was started anew · `ENOBUFS` above
   *   `maxInFlightBytes` · `EPROTO` the handler threw · `EPIPE` the client is closed · `ECONNREFUSED` and its like,
   *   nobody there within `waitMs`.
   * @throws {RangeError} `EMSGSIZE`: above 65,483 bytes; nothing was sent.
   */
  request(message: Uint8Array, options?: RequestOptions): Promise<Uint8Array>;
  /** Lets the replies it is owed come, within `graceMs`. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = {
  timeoutMs: 5_000,
  waitMs: DEFAULT_WAIT_MS,
  maxPauseMs: 1_000,
  maxInFlight: 64,
  maxInFlightBytes: 67_108_864,
  graceMs: 3_000,
} as const;
