import { checkDurations } from "@ipc/core/durations";
import { checkBytes, DEFAULT_MAX_FRAME_BYTES } from "@ipc/core/framing";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { connectTcp } from "@ipc/core/sockets";
import { tell } from "@ipc/core/tell";
import { FRAMINGS, type FramingName } from "./framings.ts";
import { createPipeline, type Pipeline, REQUEST_BYTES } from "./pipeline.ts";
import { createWaitingRoom } from "./waiting-room.ts";

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = {
  framing: "length",
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  timeoutMs: 5_000,
  waitMs: DEFAULT_WAIT_MS,
  maxInFlightBytes: 67_108_864,
  graceMs: 3_000,
} as const;

/**
 * Connects to an echo server; waits for one that is not there yet.
 *
 * @param url Such as `tcp://127.0.0.1:65432`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const {
    framing = CLIENT_DEFAULTS.framing,
    maxFrameBytes = CLIENT_DEFAULTS.maxFrameBytes,
    timeoutMs = CLIENT_DEFAULTS.timeoutMs,
    waitMs = CLIENT_DEFAULTS.waitMs,
    maxInFlightBytes = CLIENT_DEFAULTS.maxInFlightBytes,
    graceMs = CLIENT_DEFAULTS.graceMs,
    onEvent,
  } = options;
  checkDurations({ timeoutMs, waitMs, graceMs });
  // What makes no sense is refused now, not when the first message goes out.
  FRAMINGS[framing].createDecoder({ maxFrameBytes });
  const closing = new AbortController();
  let pipeline: Pipeline | undefined;
  let opening: Promise<void> | undefined;
  let lastFailure: Error | undefined;
  const waiting = createWaitingRoom(() => notConnected(url, lastFailure));

  async function open(signal: AbortSignal): Promise<void> {
    const onWaiting = (error: Error) => {
      lastFailure = error;
      tell(onEvent, { type: "waiting", url, error });
    };
    const socket = await connectTcp(url, { waitMs, signal, onWaiting });
    if (closing.signal.aborted) {
      socket.destroy();
      throw closing.signal.reason;
    }
    const opened = createPipeline(socket, { url, framing: FRAMINGS[framing], maxFrameBytes, silenceMs: timeoutMs });
    void opened.closed.then((error) => tell(onEvent, { type: "disconnected", url, error }));
    pipeline = opened;
    waiting.sendAll(opened);
    tell(onEvent, { type: "connected", url });
  }

  function reopen(): void {
    opening ??= open(closing.signal)
      .finally(() => {
        // Before anybody is told: who asks again at once has to find the door open.
        opening = undefined;
      })
      .catch((error) => waiting.rejectAll(error));
  }

  function request(message: Uint8Array, { timeoutMs: limitMs = timeoutMs, signal }: RequestOptions = {}) {
    const refusal = refuse(message, limitMs, signal);
    if (refusal) return Promise.reject(refusal.reason);
    if (pipeline?.isOpen) return pipeline.send(message, limitMs, signal);
    return new Promise<Uint8Array>((resolve, reject) => {
      waiting.enter({ message, timeoutMs: limitMs, signal, resolve, reject });
      reopen();
    });
  }

  function refuse(message: Uint8Array, limitMs: number, signal: AbortSignal | undefined) {
    try {
      if (closing.signal.aborted) throw closing.signal.reason;
      if (signal?.aborted) throw signal.reason;
      checkBytes(message);
      if (limitMs !== timeoutMs) checkDurations({ timeoutMs: limitMs });
      const inFlightBytes = waiting.bytes + (pipeline?.inFlightBytes ?? 0);
      if (inFlightBytes + message.length + REQUEST_BYTES > maxInFlightBytes)
        throw tooMuch(message.length, inFlightBytes, maxInFlightBytes);
    } catch (reason) {
      return { reason };
    }
    return undefined;
  }

  let closed: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    closing.abort(Object.assign(new Error(`Cannot send message to ${url}: the client is closed`), { code: "EPIPE" }));
    await opening;
    await pipeline?.close(graceMs);
  }
  const close = () => {
    closed ??= closeAll();
    return closed;
  };

  await open(options.signal ?? closing.signal);
  return { url, request, close, [Symbol.asyncDispose]: close };
}

/** Options of {@link connect}. */
export interface ClientOptions {
  /** How messages are kept apart; the server's. @default {"length"} */
  framing?: FramingName | undefined;
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /**
   * How long a request may take, in ms, connecting included. A server that says nothing for so long while it owes a reply
   * is given up: the connection is closed, and what stood behind the request that waited rejects with `ECONNRESET`.
   * @default {5_000}
   */
  timeoutMs?: number | undefined;
  /** How long to wait for a server that is not there yet, in ms; 0 tries once, for at most 3 s. @default {10_000} */
  waitMs?: number | undefined;
  /**
   * How much may be on its way without a reply, in bytes: a request counts as its message and 64, or 1,024 while it waits
   * for a connection.
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
  | { type: "disconnected"; url: string; error: Error };

/** Options of a single request. */
export interface RequestOptions {
  /** Instead of the client's `timeoutMs`. */
  timeoutMs?: number | undefined;
  /** Ends the waiting for this reply. What was sent is sent. */
  signal?: AbortSignal | undefined;
}

/** A connection to an echo server that reconnects by itself. */
export interface Client {
  readonly url: string;
  /**
   * Sends a message and resolves with its reply. May be called many times at once; replies come in order. After a cut the
   * next request connects again; those on their way reject, since nobody knows whether the server has seen them.
   *
   * The bytes of a message must not change until its reply is there; a reply is a view into what came from the socket:
   * `slice()` what you keep.
   *
   * @throws {Error} `ETIMEDOUT` no reply in time · `ECONNRESET` the connection was lost on the way · `ENOTCONN` no connection
   *   in time, `ECONNREFUSED` and its like, nobody there within `waitMs` · `ENOBUFS` above `maxInFlightBytes` · `EPIPE` the
   *   client is closed.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_DELIMITER`: nothing was sent.
   */
  request(message: Uint8Array, options?: RequestOptions): Promise<Uint8Array>;
  /** Lets the replies it is owed come, within `graceMs`, and disconnects. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

function notConnected(url: string, cause: Error | undefined): Error {
  const text = `Cannot send message to ${url}: there was no connection in time`;
  return Object.assign(new Error(text, { cause }), { code: "ENOTCONN" });
}

function tooMuch(messageBytes: number, inFlightBytes: number, maxInFlightBytes: number): Error {
  const text = `Cannot send message of ${messageBytes} bytes: ${inFlightBytes} bytes wait for replies, limit is ${maxInFlightBytes}`;
  return Object.assign(new RangeError(text), {
    code: "ENOBUFS",
    messageBytes,
    inFlightBytes,
    maxInFlightBytes,
  });
}
