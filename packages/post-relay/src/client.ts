import { randomUUID } from "node:crypto";
import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { connectTcp } from "@ipc/core/sockets";
import { tell } from "@ipc/core/tell";
import { checkToken } from "@ipc/core/token";
import { formatAddress, parseAddress } from "@ipc/core/url";
import { whenAborted } from "@ipc/core/when-aborted";
import { type PostAnswer, readOutcome } from "./post-failure.ts";
import { createPoster, type PosterEvent } from "./poster.ts";
import { KEY } from "./take-posts.ts";

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = {
  timeoutMs: 30_000,
  waitMs: DEFAULT_WAIT_MS,
  connections: 50,
  maxQueued: 10_000,
  graceMs: 3_000,
} as const;

/** A server that is silent for so long is asked again. */
const TRY_TIMEOUT_MS = 10_000;
/** 1 MiB: far above any answer to a post. */
const MAX_ANSWER_BYTES = 1_048_576;

/** Options of {@link connect}. */
export interface ClientOptions {
  /** What is shown to a server that wants a token. @default {none} */
  token?: string | undefined;
  /** How long a post may take, in ms, all tries together. @default {30_000} */
  timeoutMs?: number | undefined;
  /** How long to wait for a server that is not there yet, in ms; 0 tries once, for at most 3 s. @default {10_000} */
  waitMs?: number | undefined;
  /** Connections at once. @default {50} */
  connections?: number | undefined;
  /** Posts that may have no answer yet. @default {10_000} */
  maxQueued?: number | undefined;
  /** How long `close()` waits for the answers it is owed, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** Ends the waiting in `connect()`. */
  signal?: AbortSignal | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: PosterEvent) => void) | undefined;
}

/** Options of a single post. */
export interface PostOptions {
  /** Under which it is done once, however often it is posted: 1 to 255 visible ASCII characters. @default a new UUID */
  idempotencyKey?: string | undefined;
  /** Ends the waiting for this answer. What was sent is sent. */
  signal?: AbortSignal | undefined;
}

/** A client of a relay, or of a sink. */
export interface Client {
  readonly url: string;
  /**
   * Posts a value as JSON and resolves with its answer. What failed for now is tried again, always under the same key.
   *
   * @throws {PostFailure} `ERR_WRONG_TOKEN` · `ERR_POST_REFUSED` the answer says no · `ERR_POST_FAILED` no answer in time,
   *   and it is not done · `ERR_POST_UNKNOWN` no answer in time, and it may be done: repeat it with `idempotencyKey` of
   *   the error.
   * @throws {Error} `ENOBUFS` above `maxQueued` · `EPIPE` the client is closed. Nothing was sent.
   * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for what is no JSON, or no key.
   */
  post(value: unknown, options?: PostOptions): Promise<PostAnswer>;
  /** Lets the answers it is owed come, within `graceMs`, and disconnects. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Gets ready to post to a server; waits for one that is not there yet.
 *
 * @param url Such as `http://127.0.0.1:9902`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {RangeError} when a duration is out of range, or the token is none.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const {
    timeoutMs = CLIENT_DEFAULTS.timeoutMs,
    waitMs = CLIENT_DEFAULTS.waitMs,
    connections = CLIENT_DEFAULTS.connections,
    maxQueued = CLIENT_DEFAULTS.maxQueued,
    graceMs = CLIENT_DEFAULTS.graceMs,
    token,
    onEvent,
  } = options;
  checkDurations({ timeoutMs, waitMs, graceMs });
  checkToken(token);
  const shown = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const closing = new AbortController();
  const poster = createPoster(url, {
    ...{ timeoutMs, connections, maxQueued, onEvent },
    tryTimeoutMs: TRY_TIMEOUT_MS,
    maxAnswerBytes: MAX_ANSWER_BYTES,
    pipelining: 1,
    signal: closing.signal,
  });

  async function post(value: unknown, { idempotencyKey: key = randomUUID(), signal }: PostOptions = {}) {
    if (closing.signal.aborted) throw closing.signal.reason;
    signal?.throwIfAborted();
    const body = JSON.stringify(value);
    if (body === undefined) throw invalid("the value is none that JSON has");
    if (!KEY.test(key)) throw invalid("an idempotencyKey has 1 to 255 visible ASCII characters");
    const headers = { "content-type": "application/json", "idempotency-key": key, ...shown };
    const outcome = poster.post({ key, body, headers });
    return readOutcome(await (signal ? unlessAborted(outcome, signal) : outcome), url, key);
  }

  let closed: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    closing.abort(Object.assign(new Error(`Cannot post to ${url}: the client is closed`), { code: "EPIPE" }));
    await poster.close(graceMs);
  }
  const close = () => (closed ??= closeAll());

  try {
    const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error: ofHttp(error) });
    const socket = await connectTcp(formatAddress("tcp", parseAddress(url, "http")), {
      ...{ waitMs, onWaiting, signal: options.signal },
    });
    socket.destroy();
  } catch (error) {
    await close();
    throw ofHttp(error as Error);
  }
  return { url, post, close, [Symbol.asyncDispose]: close };
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = whenAborted(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(forget);
  });
}

/** To see whether somebody is there it is enough to connect; the address is another one all the same. */
function ofHttp(error: Error): Error {
  error.message = error.message.replace("tcp://", "http://");
  return error;
}

function invalid(what: string): Error {
  return Object.assign(new TypeError(`Cannot post: ${what}`), { code: "ERR_INVALID_ARG_VALUE" });
}
