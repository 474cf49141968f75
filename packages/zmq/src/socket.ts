/**
 * What every pattern does with its sockets: the binary, the limits, what happens to its connections.
 *
 * @module
 */
import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_MAX_FRAME_BYTES } from "@ipc/core/framing";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { parseAddress } from "@ipc/core/url";
import type { Readable, Socket } from "zeromq";
import type { ZmqEvent } from "./events.ts";
import { createConditions } from "./waiting.ts";

/** Options of every end of every pattern. */
export interface SocketOptions {
  /** The longest frame in bytes, in and out; who sends a longer one is disconnected. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /** How many messages may wait on this side for each peer, in each direction: ZeroMQ's high-water mark. @default {1_000} */
  highWaterMark?: number | undefined;
  /** How long to finish when closed, and then to deliver what was sent (ZeroMQ's linger), in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ZmqEvent) => void) | undefined;
}

/** Defaults of options left out. */
export const SOCKET_DEFAULTS = {
  url: "tcp://127.0.0.1:0",
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  highWaterMark: 1_000,
  graceMs: 3_000,
  waitMs: DEFAULT_WAIT_MS,
} as const;

/** The package, which is loaded when it is needed. */
export type Zeromq = typeof import("zeromq");

/** Makes a socket of its kind. */
export type Create<S extends Socket> = (zeromq: Zeromq, settings: ReturnType<typeof toSettings>) => S;

/** A socket that listens or is connected, and the options that its pattern needs. */
export interface End<S extends Socket> {
  socket: S;
  /** As libzmq has it. */
  url: string;
  maxFrameBytes: number;
  graceMs: number;
  report(event: ZmqEvent): void;
  /** Resolves with `true` when so many peers are connected, with `false` when it is closed before that. */
  waitForPeers(count: number): Promise<boolean>;
  /** Ends its connections once what was sent is delivered, and resolves when the address is free for the next one. */
  stop(): Promise<void>;
  /** Closes it; what was sent is still delivered, for `graceMs` at most. */
  end(): void;
}

/**
 * Loads zeromq when it is needed, so that a missing binary is an error like any other.
 *
 * @throws {Error} `ERR_ZEROMQ_BINARY`, with what to do.
 */
export async function loadZeromq(): Promise<Zeromq> {
  try {
    return await import("zeromq");
  } catch (cause) {
    const system = `${process.platform} ${process.arch}`;
    const advice = "Run npm rebuild zeromq, which takes CMake and a C++ compiler";
    const text = `Cannot load zeromq: it has no binary for this system (${system}). ${advice}`;
    throw Object.assign(new Error(text, { cause }), { code: "ERR_ZEROMQ_BINARY" });
  }
}

/** Options as zeromq takes them, for its sockets' constructors. */
export function toSettings(options: SocketOptions) {
  const { maxFrameBytes, highWaterMark, graceMs } = withDefaults(options);
  checkDurations({ graceMs });
  for (const [name, value] of Object.entries({ maxFrameBytes, highWaterMark })) {
    // 0 would be "no limit" to ZeroMQ.
    if (Number.isInteger(value) && value >= 1 && value <= MOST) continue;
    throw new RangeError(`Cannot use ${name}: current value is ${value}, it takes 1 to ${MOST}`);
  }
  return {
    maxMessageSize: maxFrameBytes,
    linger: graceMs,
    // PING every second, given up after three: a peer that is cut off or stopped is noticed (ZMTP 3.1, RFC 37).
    heartbeatInterval: 1_000,
    heartbeatTimeout: 3_000,
    handshakeInterval: 5_000,
    reconnectInterval: 50,
    reconnectMaxInterval: 1_000,
  };
}

const MOST = 2_147_483_647;

/** The options that patterns need, none of them missing. */
export function withDefaults({ maxFrameBytes, highWaterMark, graceMs }: SocketOptions) {
  return {
    maxFrameBytes: maxFrameBytes ?? SOCKET_DEFAULTS.maxFrameBytes,
    highWaterMark: highWaterMark ?? SOCKET_DEFAULTS.highWaterMark,
    graceMs: graceMs ?? SOCKET_DEFAULTS.graceMs,
  };
}

/** Sets what depends on the kind of socket and on the address, before it is bound or connected. */
export function prepare(socket: Socket, url: string, options: SocketOptions): void {
  socket.ipv6 = url.includes("[");
  const { highWaterMark } = withDefaults(options);
  for (const name of ["sendHighWaterMark", "receiveHighWaterMark"]) {
    if (name in socket) Object.assign(socket, { [name]: highWaterMark });
  }
}

/** The next message; nothing once the socket is closed, or at the end of its `receiveTimeout`. */
export async function receive(socket: Socket & Readable): Promise<Buffer[] | undefined> {
  try {
    return await socket.receive();
  } catch (error) {
    if (socket.closed || (error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
    throw error;
  }
}

/** Reports what happens to the connections of a socket, by its monitor's events; resolves when there are so many of them. */
export function watch(socket: Socket, report: (event: ZmqEvent) => void): End<Socket>["waitForPeers"] {
  const { events } = socket;
  const { changed, until, end } = createConditions();
  let peers = 0;
  let isWaiting = false;
  let refused = 0;
  events.on("handshake", ({ address: url }) => {
    isWaiting = false;
    peers++;
    report({ type: "connected", url });
    changed();
  });
  events.on("disconnect", ({ address: url }) => {
    // A handshake that failed is followed by this as well.
    if (refused > 0) return void refused--;
    peers--;
    report({ type: "disconnected", url });
  });
  events.on("connect:retry", ({ address: url }) => {
    if (!isWaiting) report({ type: "waiting", url });
    isWaiting = true;
  });
  for (const type of ["handshake:error:auth", "handshake:error:protocol", "handshake:error:other"] as const) {
    events.on(type, ({ address, error: cause }) => {
      refused++;
      const isAuth = type === "handshake:error:auth";
      // The allow-list has told it, with the peer's address.
      if (isAuth && socket.curveServer) return;
      const text = isAuth ? "our key is not allowed there" : `the handshake failed (${cause.message})`;
      const error = new Error(`Cannot connect to ${address}: ${text}`, { cause });
      report({ type: "refused", error: Object.assign(error, { code: isAuth ? "EACCES" : "EPROTO" }) });
    });
  }
  events.on("end", end);
  return (count) => until(() => peers >= count);
}

/** Whether nobody can reach an endpoint over a network. */
export function isLocal(url: string): boolean {
  return url.startsWith("ipc:") || /^tcp:\/\/(127\.[\d.]+|localhost|\[::1\]):/.test(url);
}

/**
 * Checks an endpoint.
 *
 * @returns The path of an `ipc://` one.
 * @throws {TypeError} `ERR_INVALID_URL`.
 */
export function parseEndpoint(url: string): string | undefined {
  const path = /^ipc:\/\/(.+)$/.exec(url)?.[1];
  if (path !== undefined) return path;
  if (!url.startsWith("tcp:")) {
    const text = `Cannot use address '${url}': it is no URL such as tcp://127.0.0.1:1234 or ipc:///tmp/example`;
    throw Object.assign(new TypeError(text), { code: "ERR_INVALID_URL", input: url });
  }
  parseAddress(url, "tcp");
  return undefined;
}
