import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { checkDurations } from "@ipc/core/durations";
import { createHttpCloser } from "@ipc/core/http-close";
import type { HttpGuardOptions } from "@ipc/core/http-guard";
import { listenError } from "@ipc/core/listen-error";
import { tell } from "@ipc/core/tell";
import { checkOpen, type TokenOptions } from "@ipc/core/token";
import { formatAddress, parseAddress } from "@ipc/core/url";
import type { Answer } from "./answer.ts";
import { type Post, takePosts } from "./take-posts.ts";

/** Options of every server that takes posts. */
export interface PostServerOptions extends HttpGuardOptions, TokenOptions {
  /** The address to listen on; `0.0.0.0` for a network. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** 0 takes a free one. @default {0} */
  port?: number | undefined;
  /** The longest body in bytes. @default {1_048_576} */
  maxBodyBytes?: number | undefined;
  /** All bodies together that have no answer yet, also those that are still being sent, in bytes. @default {67_108_864} */
  maxQueuedBytes?: number | undefined;
  /** Clients at once; more are turned away. @default {1_000} */
  maxConnections?: number | undefined;
  /** The head of a request must be whole within this time, in ms. @default {3_000} */
  headersTimeoutMs?: number | undefined;
  /** A request must be whole within this time, in ms. @default {5_000} */
  requestTimeoutMs?: number | undefined;
  /** A connection on which nothing moves for so long is closed, in ms. @default {10_000} */
  idleTimeoutMs?: number | undefined;
  /** How long `close()` waits for the answers that are owed, in ms. @default {3_000} */
  graceMs?: number | undefined;
}

/** Defaults of options left out. */
export const POST_SERVER_DEFAULTS = {
  host: "127.0.0.1",
  port: 0,
  maxBodyBytes: 1_048_576,
  maxQueuedBytes: 67_108_864,
  maxConnections: 1_000,
  headersTimeoutMs: 3_000,
  requestTimeoutMs: 5_000,
  idleTimeoutMs: 10_000,
  graceMs: 3_000,
} as const;

/** 8 KiB: far above what a post needs; each connection may hold as much. */
const MAX_HEAD_BYTES = 8_192;
/** How late the two timeouts of a request may be. */
const CHECKED_EVERY_MS = 1_000;

/** What every server that takes posts tells. */
export type PostServerEvent =
  /** A request that was answered with an error, and why. */
  { type: "refused"; status: number; detail: string };

/** A server that takes posts. */
export interface PostServer {
  readonly url: string;
  /** Takes no new posts, lets those it has be answered within `graceMs`, then cuts off the rest. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Takes JSON by POST on `/` and answers each with what `onPost` makes of it. All else is refused, always as
 * `application/problem+json` (RFC 9457).
 *
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen; `ERR_NO_TOKEN` when it would be open to a network.
 * @throws {RangeError} when a duration is out of range, or the token is none.
 */
export async function startPostServer(
  options: PostServerOptions & { onEvent?: ((event: PostServerEvent) => void) | undefined },
  onPost: (post: Post) => Promise<Answer>,
): Promise<PostServer> {
  const {
    host = POST_SERVER_DEFAULTS.host,
    port = POST_SERVER_DEFAULTS.port,
    maxBodyBytes = POST_SERVER_DEFAULTS.maxBodyBytes,
    maxQueuedBytes = POST_SERVER_DEFAULTS.maxQueuedBytes,
    maxConnections = POST_SERVER_DEFAULTS.maxConnections,
    headersTimeoutMs = POST_SERVER_DEFAULTS.headersTimeoutMs,
    requestTimeoutMs = POST_SERVER_DEFAULTS.requestTimeoutMs,
    idleTimeoutMs = POST_SERVER_DEFAULTS.idleTimeoutMs,
    graceMs = POST_SERVER_DEFAULTS.graceMs,
    onEvent,
  } = options;
  checkDurations({ headersTimeoutMs, requestTimeoutMs, idleTimeoutMs, graceMs });
  const asked = formatAddress("http", { host, port });
  parseAddress(asked, "http");
  checkOpen(host, options);

  const server = createServer({
    connectionsCheckingInterval: CHECKED_EVERY_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
    // Node's own answer is no problem+json.
    requireHostHeader: false,
  });
  server.maxConnections = maxConnections;
  server.headersTimeout = headersTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.timeout = idleTimeoutMs;
  // Shorter than the above, and told to clients: they let go of a connection before it is closed under them.
  server.keepAliveTimeout = Math.ceil(idleTimeoutMs / 2);
  takePosts(server, { ...options, maxBodyBytes, maxQueuedBytes }, onPost, ({ status, detail }) => {
    tell(onEvent, { type: "refused", status, detail });
  });

  const closeServer = createHttpCloser(server);
  server.listen({ host, port });
  await once(server, "listening").catch((cause) => {
    throw listenError(asked, cause);
  });
  const url = formatAddress("http", { host, port: (server.address() as AddressInfo).port });
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= closeServer(graceMs));
  return { url, close, [Symbol.asyncDispose]: close };
}
