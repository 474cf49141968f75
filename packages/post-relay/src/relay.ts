import { randomUUID } from "node:crypto";
import { checkDurations } from "@ipc/core/durations";
import { problem } from "@ipc/core/http-guard";
import { tell } from "@ipc/core/tell";
import { checkToken } from "@ipc/core/token";
import { type Answer, answerProblem } from "./answer.ts";
import type { PostError } from "./exchange.ts";
import { checkLetIn, passBack, requestHeaders } from "./pass-on.ts";
import {
  POST_SERVER_DEFAULTS,
  type PostServer,
  type PostServerEvent,
  type PostServerOptions,
  startPostServer,
} from "./post-server.ts";
import { createPoster, type PosterEvent } from "./poster.ts";
import type { Post } from "./take-posts.ts";

/** Options of {@link startRelay}. */
export interface RelayOptions extends PostServerOptions {
  /** What is shown to a sink that wants a token. Our own `token` is not passed on. @default {none} */
  sinkToken?: string | undefined;
  /** How long the sink may take for a post, in ms, all tries together. @default {5_000} */
  timeoutMs?: number | undefined;
  /** Connections to the sink at once. @default {50}, with pipelining {2} */
  connections?: number | undefined;
  /**
   * Posts with a key that may be on their way at once on one connection. Above 1 undici sends those behind a lost one
   * again by itself: only for a sink that honours the key. @default {1}
   */
  pipelining?: number | undefined;
  /** Posts that may wait for the sink at once; more are refused with 503. @default {1_000} */
  maxQueued?: number | undefined;
  /** The longest answer of the sink in bytes. @default {1_048_576} */
  maxAnswerBytes?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: RelayEvent) => void) | undefined;
}

/** What a relay tells. */
export type RelayEvent =
  | PostServerEvent
  | PosterEvent
  /** The sink answered, and so did the relay. */
  | { type: "passed"; body: Uint8Array; status: number }
  /** There was no answer to pass back. */
  | { type: "failed"; body: Uint8Array; status: number; error: PostError };

/** Defaults of options left out. */
export const RELAY_DEFAULTS = {
  ...POST_SERVER_DEFAULTS,
  timeoutMs: 5_000,
  connections: 50,
  pipelining: 1,
  maxQueued: 1_000,
  maxAnswerBytes: 1_048_576,
} as const;

/**
 * Passes every post on to the sink and answers with what the sink did, never before.
 *
 * @param sink Where to: `http://127.0.0.1:9901`. No request can change it.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen; `ERR_NO_TOKEN`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 */
export async function startRelay(sink: string, options: RelayOptions = {}): Promise<PostServer> {
  const { onEvent, timeoutMs = RELAY_DEFAULTS.timeoutMs, pipelining = RELAY_DEFAULTS.pipelining } = options;
  checkDurations({ timeoutMs });
  checkToken(options.sinkToken);
  const closing = new AbortController();
  const poster = createPoster(sink, {
    // A pool spreads posts over all it may open: with pipelining few are better than many.
    connections: options.connections ?? (pipelining > 1 ? 2 : RELAY_DEFAULTS.connections),
    pipelining,
    maxQueued: options.maxQueued ?? RELAY_DEFAULTS.maxQueued,
    maxAnswerBytes: options.maxAnswerBytes ?? RELAY_DEFAULTS.maxAnswerBytes,
    timeoutMs,
    tryTimeoutMs: timeoutMs,
    signal: closing.signal,
    onEvent,
  });
  // By its name in Via a relay knows what it has passed on before (RFC 9110 section 7.6.3).
  const ownName = `post-relay-${randomUUID()}`;

  async function relay({ key, body, headers: given, socket }: Post): Promise<Answer> {
    const { via } = given;
    if (via?.includes(ownName)) {
      const detail = "the post has come back to this relay";
      tell(onEvent, { type: "refused", status: 508, detail });
      return answerProblem(problem(508, detail));
    }
    const headers = requestHeaders(given, options);
    headers["content-type"] = "application/json";
    headers["via"] = via === undefined ? `1.1 ${ownName}` : `${via}, 1.1 ${ownName}`;
    if (key !== undefined) headers["idempotency-key"] = key;
    const outcome = checkLetIn(await poster.post({ key, body, headers, socket }), options);
    const answer = passBack(outcome);
    const { status } = answer;
    if (outcome instanceof Error) tell(onEvent, { type: "failed", body, status, error: outcome });
    else tell(onEvent, { type: "passed", body, status });
    return answer;
  }

  // A client that waits for the sink is silent meanwhile.
  const idleTimeoutMs = Math.max(options.idleTimeoutMs ?? RELAY_DEFAULTS.idleTimeoutMs, timeoutMs + 1_000);
  const server = await startPostServer({ ...options, idleTimeoutMs }, relay).catch(async (error) => {
    await poster.close(0);
    throw error;
  });
  let closed: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    // What waits for the next try is answered now; what is on its way may finish.
    closing.abort();
    await server.close();
    await poster.close(0);
  }
  const close = () => (closed ??= closeAll());
  return { url: server.url, close, [Symbol.asyncDispose]: close };
}
