import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_MAX_FRAME_BYTES, lengthFraming } from "@ipc/core/framing";
import {
  createRequester,
  linkSocket,
  REQUESTER_DEFAULTS,
  type Requester,
  type RequesterOptions,
} from "@ipc/core/requests";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { SOCKET_SERVER_DEFAULTS, type SocketServer } from "@ipc/core/socket-server";
import { connectUnix } from "@ipc/core/sockets";
import { tell } from "@ipc/core/tell";
import { startUnixServer, type UnixServerOptions } from "@ipc/core/unix-server";
import { answer, type Handler } from "./answer.ts";

/** Options of {@link startServer}. */
export interface ServerOptions extends UnixServerOptions {
  /** What answers a message. @default {(message) => message} */
  handler?: Handler | undefined;
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /** A message that has begun must be whole within this time, in ms; 0 is no limit. @default {10_000} */
  frameTimeoutMs?: number | undefined;
  /** A client that neither sends nor takes anything for so long, in ms, is cut off; 0 is no limit. @default {60_000} */
  idleTimeoutMs?: number | undefined;
}

/** Defaults of options left out. */
export const SERVER_DEFAULTS = {
  ...SOCKET_SERVER_DEFAULTS,
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  frameTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
} as const;

/**
 * Answers every message on a Unix socket with what `handler` makes of it, in the order in which they came. The socket
 * is a file of mode 0600; one that a killed server left is replaced, one where somebody listens is not.
 *
 * @returns The server, listening.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {RangeError} when the path is too long, or a limit out of range.
 * @throws {Error} `EADDRINUSE`, `ENOTSOCK` and their like, when it cannot listen.
 */
export async function startServer(options: ServerOptions): Promise<SocketServer> {
  const {
    handler = (message: Uint8Array) => message,
    maxFrameBytes = SERVER_DEFAULTS.maxFrameBytes,
    frameTimeoutMs = SERVER_DEFAULTS.frameTimeoutMs,
    idleTimeoutMs = SERVER_DEFAULTS.idleTimeoutMs,
  } = options;
  // Limits that make no sense are refused now, not when the first client comes.
  checkDurations({ frameTimeoutMs, idleTimeoutMs });
  lengthFraming.createDecoder({ maxFrameBytes });
  return await startUnixServer(options, (socket, signal) =>
    answer({ input: socket, output: socket }, handler, { maxFrameBytes, frameTimeoutMs, idleTimeoutMs, signal }),
  );
}

/** Options of {@link connect}. */
export interface ClientOptions extends RequesterOptions {
  /** How long to wait for a server that is not there yet, in ms; 0 tries once. @default {10_000} */
  waitMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** What a client tells. */
export type ClientEvent =
  /** Nobody is there yet; said once a wait. */
  | { type: "waiting"; url: string; error: Error }
  | { type: "connected"; url: string }
  | { type: "disconnected"; url: string; error: Error };

/** A connection to a server that reconnects by itself. */
export interface Client extends Requester {
  readonly url: string;
}

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = { ...REQUESTER_DEFAULTS, waitMs: DEFAULT_WAIT_MS } as const;

/**
 * Connects to a server on a Unix socket; waits for one that is not there yet.
 *
 * @param url Such as `unix:/tmp/echo.sock`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ENOENT` or `ECONNREFUSED` when nobody is there within `waitMs`; `EACCES`, `ENOTSOCK` at once.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const { waitMs = CLIENT_DEFAULTS.waitMs, onEvent } = options;
  checkDurations({ waitMs });

  async function open(signal: AbortSignal) {
    const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
    const link = linkSocket(await connectUnix(url, { waitMs, signal, onWaiting }));
    void link.ended.then((error) => tell(onEvent, { type: "disconnected", url, error }));
    tell(onEvent, { type: "connected", url });
    return link;
  }
  const requester = await createRequester({ name: url, open }, options);
  return { url, ...requester };
}
