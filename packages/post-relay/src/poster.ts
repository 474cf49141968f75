import { tell } from "@ipc/core/tell";
import { formatAddress, parseAddress } from "@ipc/core/url";
import { whenAborted } from "@ipc/core/when-aborted";
import { buildConnector, Pool } from "undici";
import type { Answer } from "./answer.ts";
import { Exchange, type Outcome, type PostError } from "./exchange.ts";
import { createTurnWriter } from "./turn-writer.ts";

/** Something to be posted. */
interface Posting {
  /** Without one it is tried once only: nobody could tell a repetition from a second post. */
  key: string | undefined;
  body: string | Uint8Array;
  headers: Answer["headers"];
  /** Whoever asked for it; once gone, it is not tried again. */
  socket?: { readonly destroyed: boolean } | undefined;
}

/** Options of {@link createPoster}. */
export interface PosterOptions {
  /** Connections at once. */
  connections: number;
  /** Posts that may be on their way at once on one connection. Above 1 only those with a key are. */
  pipelining: number;
  /** Posts that may wait for their answers at once. */
  maxQueued: number;
  /** The longest answer in bytes. */
  maxAnswerBytes: number;
  /** How long one try may take, in ms. */
  tryTimeoutMs: number;
  /** How long all tries of a post may take together, in ms. */
  timeoutMs: number;
  /** Ends the waiting between tries: what has failed then has failed for good. */
  signal: AbortSignal;
  onEvent?: ((event: PosterEvent) => void) | undefined;
}

/** What a poster tells. */
export type PosterEvent =
  /** The other side cannot be reached, or says nothing; told once, until it answers again. */
  | { type: "waiting"; url: string; error: Error }
  /** It answers, at first or again. */
  | { type: "connected"; url: string };

/** Posts to one server, over connections that stay open. */
export interface Poster {
  /**
   * Resolves with the answer, or why there is none. What failed for now is tried again under the same key until
   * `timeoutMs` is over, with pauses that grow and are drawn by chance, or as long as the other side asked for
   * (`Retry-After`). The error is that of the last try; its `isDone` is `unknown` when that of one of them is.
   */
  post(posting: Posting): Promise<Outcome>;
  /** Lets what is on its way be answered within `graceMs`, then cuts it off. */
  close(graceMs: number): Promise<void>;
}

/** The first pause is up to 50 ms, then up to twice as long each time, up to 1 s. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** Posts to `/` of an `http://` URL, which no request can change. */
export function createPoster(url: string, options: PosterOptions): Poster {
  const { connections, pipelining, maxQueued, maxAnswerBytes, tryTimeoutMs, timeoutMs, signal, onEvent } = options;
  const turn = createTurnWriter();
  const connector = buildConnector({ timeout: tryTimeoutMs });
  const pool = new Pool(formatAddress("http", parseAddress(url, "http")), {
    connections,
    pipelining,
    maxResponseSize: maxAnswerBytes,
    connect(target, callback) {
      connector(target, (...result) => {
        if (result[1]) turn.add(result[1]);
        callback(...result);
      });
    },
    // Each try has a deadline of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  let queued = 0;
  let isThere: boolean | undefined;
  const release = () => void queued--;

  function tryOnce({ key, body, headers }: Posting, forMs: number): Promise<Outcome> {
    queued++;
    const idempotent = pipelining > 1 && key !== undefined;
    if (idempotent) turn.begin();
    return new Promise((resolve) => {
      const exchange = new Exchange(Math.min(forMs, tryTimeoutMs), resolve, release);
      pool.dispatch({ path: "/", method: "POST", headers, body, idempotent, blocking: !idempotent }, exchange);
      if (idempotent) turn.end();
    });
  }

  async function post(posting: Posting): Promise<Outcome> {
    if (queued >= maxQueued) return queueFull(queued, maxQueued);
    const deadline = performance.now() + timeoutMs;
    let leftMs = timeoutMs;
    let mayBeDone = false;
    for (let longest = FIRST_PAUSE_MS; ; longest = Math.min(longest * 2, LONGEST_PAUSE_MS)) {
      const outcome = await tryOnce(posting, leftMs);
      tellWhetherThere(outcome);
      if (!(outcome instanceof Error)) return outcome;
      mayBeDone ||= outcome.isDone === "unknown";
      if (mayBeDone) outcome.isDone = "unknown";
      const tookMs = leftMs - (deadline - performance.now());
      // A try with less time than the last one took would only make "unknown" of what is known.
      const spareMs = leftMs - 2 * tookMs;
      const pauseMs = Math.max(Math.random() * longest, retryAfterMs(outcome));
      if (pauseMs >= spareMs || !isForNow(outcome) || !(await mayGoOn(posting, pauseMs))) return outcome;
      leftMs = deadline - performance.now();
    }
  }

  /** An answer that says "not now" is an answer. */
  function tellWhetherThere(outcome: Outcome): void {
    const error = outcome instanceof Error && !outcome.answer ? outcome : undefined;
    if (isThere === !error) return;
    isThere = !error;
    tell(onEvent, error ? { type: "waiting", url, error } : { type: "connected", url });
  }

  /** Whether to try again after a pause. */
  async function mayGoOn({ key, socket }: Posting, pauseMs: number): Promise<boolean> {
    if (key === undefined || signal.aborted) return false;
    // It counts while it waits, too.
    queued++;
    await pause(pauseMs, signal);
    queued--;
    return !signal.aborted && !socket?.destroyed;
  }

  return {
    post,
    async close(graceMs) {
      let timer: NodeJS.Timeout | undefined;
      const cutOff = new Promise<void>((resolve) => {
        timer = setTimeout(() => pool.destroy(cutOffError()).then(resolve), graceMs);
      });
      // The first of them never settles when the second comes to pass.
      await Promise.race([pool.close(), cutOff]);
      clearTimeout(timer);
    },
  };
}

function cutOffError(): Error {
  return Object.assign(new Error("closed before the answer came"), { code: "ECONNRESET" });
}

function queueFull(queued: number, maxQueued: number): PostError {
  const text = `Cannot post: ${queued} posts wait for their answers, limit is ${maxQueued}`;
  return Object.assign(new RangeError(text), { code: "ENOBUFS", queued, maxQueued, isDone: "no" } as const);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      forget();
      resolve();
    };
    const timer = setTimeout(end, ms);
    const forget = whenAborted(signal, end);
  });
}

/** The system's errors (`E…`) may pass; an answer that cannot be used (`ERR_…`) would come again. */
function isForNow({ code }: PostError): boolean {
  return !code.startsWith("ERR_");
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterMs({ answer }: PostError): number {
  const value = String(answer?.headers["retry-after"] ?? "0");
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? 0 : ms;
}
