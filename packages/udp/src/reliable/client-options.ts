/** Options of `connect()`. */
export interface ClientOptions {
  /** How long a request may take with all its repetitions, in ms. @default {5_000} */
  timeoutMs?: number | undefined;
  /** How long to wait for a server that is not there yet, in ms; 0 asks once. @default {10_000} */
  waitMs?: number | undefined;
  /** How many requests are on their way at once; the others wait. With 1 they are done in order. @default {64} */
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
  | { type: "disconnected"; url: string; error: Error };

/** Options of a single request. */
export interface RequestOptions {
  /** @default the client's */
  timeoutMs?: number | undefined;
  /** Ends the waiting for this reply. What was sent is sent. */
  signal?: AbortSignal | undefined;
}

/** Somebody who sends requests to one server. */
export interface Client {
  readonly url: string;
  /**
   * Sends a request, again and again until its reply is there. When it resolves, the server has done it exactly once;
   * when it rejects, at most once. Many may be on their way; each stands for itself.
   *
   * @throws {Error} `ETIMEDOUT` no reply in time · `ECONNRESET` the server was started anew · `ENOBUFS` above
   *   `maxInFlightBytes` · `EPROTO` the handler threw · `EPIPE` the client is closed · `ECONNREFUSED` and its like,
   *   nobody there within `waitMs`.
   * @throws {RangeError} `EMSGSIZE`: above 65,477 bytes; nothing was sent.
   */
  request(message: Uint8Array, options?: RequestOptions): Promise<Uint8Array>;
  /** Lets the replies it is owed come, within `graceMs`. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
