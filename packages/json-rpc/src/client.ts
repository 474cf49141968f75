import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_MAX_FRAME_BYTES } from "@ipc/core/framing";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { whenAborted } from "@ipc/core/when-aborted";
import { type BatchRequest, Exchange, InFlight } from "./exchange.ts";
import { openHttpLink } from "./http-client.ts";
import { checkLimits, withDefaults } from "./limits.ts";
import { type ClientEvent, type OpenLink, resetError } from "./link.ts";
import { type Outcome, type Params, tooLarge } from "./protocol.ts";
import { openTcpLink } from "./tcp-client.ts";

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = {
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  maxBatch: 1_000,
  timeoutMs: 5_000,
  waitMs: DEFAULT_WAIT_MS,
  maxInFlightBytes: 67_108_864,
  maxConnections: 64,
  graceMs: 3_000,
};

/**
 * Connects to a JSON-RPC server, over HTTP or over TCP lines as the URL says; waits for one that is not there yet.
 *
 * @param url Such as `http://127.0.0.1:4000` or `tcp://127.0.0.1:4001`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const settings = withDefaults(CLIENT_DEFAULTS, options);
  const { maxFrameBytes, maxBatch, timeoutMs, waitMs, maxInFlightBytes, graceMs } = settings;
  checkLimits(settings, { timeoutMs, waitMs, graceMs });
  const inFlight = new InFlight((exchange) => {
    if (exchange.isSent) link.suspect?.(exchange);
    exchange.fail(timeoutError(url, exchange.isSent, link.lastFailure));
  });
  const openLink: OpenLink = /^http:/i.test(url) ? openHttpLink : openTcpLink;
  const link = await openLink(url, settings, inFlight);
  let closing: Promise<void> | undefined;
  let lastId = 0;

  function send(requests: readonly BatchRequest[], isBatch: boolean, options: CallOptions) {
    const { timeoutMs: limitMs = timeoutMs, signal } = options;
    if (closing !== undefined) throw closedError(url);
    signal?.throwIfAborted();
    if (limitMs !== timeoutMs) checkDurations({ timeoutMs: limitMs });
    const exchange = new Exchange(requests, isBatch, lastId + 1);
    lastId += requests.length;
    const { bytes, size } = exchange;
    if (bytes.length > maxFrameBytes) throw tooLarge("send", bytes.length, maxFrameBytes);
    const waitingBytes = inFlight.bytes + link.bufferedBytes;
    if (waitingBytes + size > maxInFlightBytes) throw tooMuch(bytes.length, waitingBytes, maxInFlightBytes);
    exchange.deadline = performance.now() + limitMs;
    if (signal) exchange.forgetSignal = whenAborted(signal, () => exchange.fail(signal.reason));
    inFlight.add(exchange);
    return new Promise<readonly Outcome[]>((resolve) => {
      exchange.onDone = (outcomes) => {
        inFlight.delete(exchange);
        resolve(outcomes);
      };
      link.send(exchange);
    });
  }

  async function call(method: string, params?: Params, options: CallOptions = {}): Promise<unknown> {
    return onlyValue(await send([{ method, params }], false, options));
  }

  async function notify(method: string, params?: Params, options: CallOptions = {}): Promise<void> {
    onlyValue(await send([{ method, params, isNotification: true }], false, options));
  }

  async function batch(requests: readonly BatchRequest[], options: CallOptions = {}): Promise<readonly Outcome[]> {
    // An empty one is an error on the wire (section 6).
    if (requests.length === 0) return [];
    if (requests.length > maxBatch) throw tooMany(requests.length, maxBatch);
    return await send(requests, true, options);
  }

  async function closeAll() {
    for (const exchange of inFlight.all) if (exchange.isWaiting) exchange.fail(closedError(url));
    await inFlight.drained(graceMs);
    const late = resetError(url, new Error(`no reply came within ${graceMs} ms of close()`));
    for (const exchange of inFlight.all) exchange.fail(late);
    await link.close();
  }
  function close() {
    closing ??= closeAll();
    return closing;
  }
  return { url, call, notify, batch, close, [Symbol.asyncDispose]: close };
}

/** Options of {@link connect}. */
export interface ClientOptions {
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /** The most requests in a batch. @default {1_000} */
  maxBatch?: number | undefined;
  /**
   * How long a call may take, in ms, connecting included. A TCP server that has said nothing for so long is asked whether it
   * is there; when that has no answer for as long again, the connection is given up.
   * @default {5_000}
   */
  timeoutMs?: number | undefined;
  /** How long to wait for a server that is not there yet, in ms; 0 tries once, for at most 3 s. @default {10_000} */
  waitMs?: number | undefined;
  /** How much may be on its way without a reply, in bytes: a request counts as its text and 64. @default {67_108_864} */
  maxInFlightBytes?: number | undefined;
  /** The most connections at once over HTTP, which carries one message at a time on each; others wait. @default {64} */
  maxConnections?: number | undefined;
  /** How long `close()` waits for the replies it is owed, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** Ends the waiting in `connect()`. */
  signal?: AbortSignal | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** Options of a single call, notification or batch. */
export interface CallOptions {
  /** Instead of the client's `timeoutMs`. */
  timeoutMs?: number | undefined;
  /** Ends the waiting. What was sent is sent; over HTTP its connection is closed, which the method can notice. */
  signal?: AbortSignal | undefined;
}

/** A way to call the methods of a server; connects again by itself. */
export interface Client {
  readonly url: string;
  /**
   * Calls a method and resolves with its result. May be called many times at once. After a cut the next call connects
   * again; those on their way reject, since nobody knows whether they were executed.
   *
   * @throws {RpcError} What the server answered instead of a result; its `code` is a number.
   * @throws {Error} `ETIMEDOUT` no reply in time · `ECONNRESET` the connection was lost on the way · `ENOTCONN` no connection
   *   in time, `ECONNREFUSED` and its like, nobody there within `waitMs` · `ENOBUFS` above `maxInFlightBytes` · `EPIPE` the
   *   client is closed · `ERR_FRAME_TOO_LARGE` · `ERR_INVALID_RESPONSE` · `ERR_HTTP_STATUS`.
   */
  call(method: string, params?: Params, options?: CallOptions): Promise<unknown>;
  /**
   * Calls a method without wanting an answer: resolves when it is sent, over HTTP when the method has ended.
   *
   * @throws {Error} as `call()` when it could not be sent. Over TCP what is lost after that is not told of.
   */
  notify(method: string, params?: Params, options?: CallOptions): Promise<void>;
  /** Sends many requests as one message, and resolves with their outcomes in the same order. */
  batch(requests: readonly BatchRequest[], options?: CallOptions): Promise<readonly Outcome[]>;
  /** Lets the replies it is owed come, within `graceMs`, and disconnects. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Of the one request of a message. */
function onlyValue([outcome]: readonly Outcome[]): unknown {
  if (outcome?.status === "rejected") throw outcome.reason;
  return outcome?.value;
}

function timeoutError(url: string, isSent: boolean, cause: Error | undefined): Error {
  const [code, why] = isSent ? ["ETIMEDOUT", "none came in time"] : ["ENOTCONN", "there was no connection in time"];
  return Object.assign(new Error(`Cannot get reply from ${url}: ${why}`, { cause }), { code });
}

function closedError(url: string): Error {
  return Object.assign(new Error(`Cannot call ${url}: the client is closed`), { code: "EPIPE" });
}

function tooMany(requests: number, maxBatch: number): Error {
  const text = `Cannot send batch of ${requests} requests: limit is ${maxBatch}`;
  return Object.assign(new RangeError(text), { code: "ERR_OUT_OF_RANGE", requests, maxBatch });
}

function tooMuch(messageBytes: number, inFlightBytes: number, maxInFlightBytes: number): Error {
  const text = `Cannot send message of ${messageBytes} bytes: ${inFlightBytes} bytes wait for replies, limit is ${maxInFlightBytes}`;
  return Object.assign(new RangeError(text), { code: "ENOBUFS", messageBytes, inFlightBytes, maxInFlightBytes });
}
