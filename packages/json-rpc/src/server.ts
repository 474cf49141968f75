import { DEFAULT_MAX_FRAME_BYTES } from "@ipc/core/framing";
import type { HttpGuardOptions } from "@ipc/core/http-guard";
import { TCP_SERVER_DEFAULTS, type TcpServerEvent } from "@ipc/core/tcp-server";
import { tell } from "@ipc/core/tell";
import { describeServer } from "./discover.ts";
import { Dispatcher } from "./dispatcher.ts";
import { type RejectedEvent, startHttp } from "./http-server.ts";
import { checkLimits, withDefaults } from "./limits.ts";
import type { Method } from "./method.ts";
import { METHODS } from "./methods.ts";
import { startTcp } from "./tcp-server.ts";

/** Options of {@link startServer}. */
export interface ServerOptions extends HttpGuardOptions {
  /** What can be called, by name. @default {METHODS}: add, subtract, sum, echo, slow */
  methods?: Readonly<Record<string, Method>> | undefined;
  /** The address to listen on; `0.0.0.0` opens it to the network. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** For HTTP; 0 takes a free one. @default {0} */
  port?: number | undefined;
  /** For TCP lines; 0 takes a free one. @default {0} */
  tcpPort?: number | undefined;
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /** The most requests in a batch. @default {1_000} */
  maxBatch?: number | undefined;
  /** Calls that run at once; more are answered with -32000. @default {10_000} */
  maxCalls?: number | undefined;
  /** So many bytes of calls without an answer, and a TCP connection is not read on. @default {262_144} */
  maxInFlightBytes?: number | undefined;
  /** More connections than this at once, of each kind, are closed as they come. @default {10_000} */
  maxConnections?: number | undefined;
  /** An HTTP request must have its headers within this time, in ms. @default {3_000} */
  headersTimeoutMs?: number | undefined;
  /** An HTTP request must be whole within this time, in ms. @default {5_000} */
  requestTimeoutMs?: number | undefined;
  /** A TCP line that has begun must be whole within this time, in ms. @default {10_000} */
  frameTimeoutMs?: number | undefined;
  /** A connection on which nothing moves for so long, in ms, is closed, also under a call that runs. @default {60_000} */
  idleTimeoutMs?: number | undefined;
  /** How long `close()` lets calls in flight finish, in ms; then they are cut off. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ServerEvent) => void) | undefined;
}

/** What a server tells. The events of connections are those of TCP lines. */
export type ServerEvent =
  | TcpServerEvent
  | RejectedEvent
  /** A method threw something else than an `RpcError`, or returned what cannot be sent: its caller got -32603, no more. */
  | { type: "threw"; peer: string; method: string; error: Error }
  /** So many calls run that more are refused with -32000; told once each time it comes to that. */
  | { type: "busy"; maxCalls: number };

/** A server that listens. */
export interface Server {
  /** Where it listens for HTTP: `http://127.0.0.1:4000`. */
  readonly url: string;
  /** For HTTP and for TCP lines: `["http://127.0.0.1:4000", "tcp://127.0.0.1:4001"]`. */
  readonly urls: readonly [http: string, tcp: string];
  /** Takes no more, lets calls in flight finish within `graceMs`, cuts off the rest. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Defaults of options left out. */
export const SERVER_DEFAULTS = {
  ...TCP_SERVER_DEFAULTS,
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  maxBatch: 1_000,
  maxCalls: 10_000,
  maxInFlightBytes: 262_144,
  headersTimeoutMs: 3_000,
  requestTimeoutMs: 5_000,
  frameTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
};

/**
 * Answers JSON-RPC 2.0 calls over HTTP and over TCP, by the same methods.
 *
 * @returns The server, listening; `urls` tells where.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen.
 * @throws {RangeError} when a limit, a duration or a port is out of range.
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const { methods = METHODS, onEvent } = options;
  const settings = withDefaults({ port: 0, tcpPort: 0, ...SERVER_DEFAULTS }, options);
  const { headersTimeoutMs, requestTimeoutMs, frameTimeoutMs, idleTimeoutMs, graceMs } = settings;
  checkLimits(settings, { headersTimeoutMs, requestTimeoutMs, frameTimeoutMs, idleTimeoutMs, graceMs });
  const urls: [http: string, tcp: string] = ["", ""];

  const described = { "rpc.discover": () => describeServer(methods, urls), ...methods };
  const dispatcher = new Dispatcher(described, {
    ...settings,
    onThrown: (error, method, peer) => tell(onEvent, { type: "threw", peer, method, error }),
    onBusy: () => tell(onEvent, { type: "busy", maxCalls: settings.maxCalls }),
  });
  const http = await startHttp(settings, dispatcher);
  const tcp = await startTcp({ ...settings, port: settings.tcpPort }, dispatcher).catch(async (error) => {
    await http.close();
    throw error;
  });
  urls[0] = http.url;
  urls[1] = tcp.url;

  let closing: Promise<unknown> | undefined;
  async function close() {
    closing ??= Promise.all([http.close(), tcp.close()]);
    await closing;
  }
  return { url: http.url, urls, close, [Symbol.asyncDispose]: close };
}
