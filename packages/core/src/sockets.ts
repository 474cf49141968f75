/**
 * Opening a connection, and ending one so that nobody loses an answer.
 *
 * @module
 */
import { lstat } from "node:fs/promises";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { checkDurations } from "./durations.ts";
import { retry, type WaitOptions } from "./retry.ts";
import { toSocketPath } from "./socket-path.ts";
import { parseAddress, parsePath } from "./url.ts";

/** How to reach a server. */
export interface ConnectOptions extends WaitOptions {
  /** How long one try may take, in ms. @default {3_000} */
  connectTimeoutMs?: number | undefined;
}

/**
 * Connects to a `tcp://` URL; waits for a server that is not there yet.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED`, `ETIMEDOUT`, `ENOTFOUND`, …, when nobody is there within `waitMs`.
 * @example
 * ```ts
 * import { connectTcp } from "@ipc/core/sockets";
 *
 * const onWaiting = (error: Error) => console.log("waiting:", error.message);
 * await connectTcp("tcp://127.0.0.1:1", { waitMs: 300, onWaiting }).catch((error) => console.log(error.code));
 * ```
 * ```text
 * waiting: Cannot connect to tcp://127.0.0.1:1: nobody listens there
 * ECONNREFUSED
 * ```
 */
export async function connectTcp(url: string, options: ConnectOptions = {}): Promise<Socket> {
  const { host, port } = parseAddress(url, "tcp");
  return await connectTo(url, { host, port, noDelay: true }, options);
}

/**
 * Connects to a `unix:` URL; waits for a server that is not there yet.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {RangeError} `ENAMETOOLONG`.
 * @throws {Error} `ENOENT` or `ECONNREFUSED` when nobody is there within `waitMs`; `EACCES`, and `ENOTSOCK` for a path
 *   that is something else, at once.
 * @example
 * ```ts
 * import { connectUnix } from "@ipc/core/sockets";
 *
 * await connectUnix("unix:/tmp/nobody.sock", { waitMs: 0 }).catch((error) => console.log(error.message));
 * ```
 * ```text
 * Cannot connect to unix:/tmp/nobody.sock: there is no such socket
 * ```
 */
export async function connectUnix(url: string, options: ConnectOptions = {}): Promise<Socket> {
  const path = parsePath(url, "unix");
  const onWaiting = (error: Error) => {
    // To wait would not help: retry() ends with what this throws.
    if ("code" in error && error.code === "EACCES") throw error;
    options.onWaiting?.(error);
  };
  const target = { path: toSocketPath(path) };
  // Linux says ECONNREFUSED of a file that is no socket.
  const isOther = process.platform !== "win32" && (await isNoSocket(path));
  if (isOther) throw Object.assign(new Error(`Cannot connect to ${url}: it is no socket`), { code: "ENOTSOCK" });
  return await connectTo(url, target, { ...options, onWaiting });
}

async function isNoSocket(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  return stats !== undefined && !stats.isSocket() && !stats.isSymbolicLink();
}

async function connectTo(url: string, target: NetConnectOpts, options: ConnectOptions): Promise<Socket> {
  const { connectTimeoutMs = 3_000 } = options;
  checkDurations({ connectTimeoutMs });
  return await retry(() => connectOnce(url, target, options), options);
}

function connectOnce(
  url: string,
  target: NetConnectOpts,
  { connectTimeoutMs = 3_000, signal }: ConnectOptions,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(target);
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error(`no answer within ${connectTimeoutMs} ms`), { code: "ETIMEDOUT" }));
    }, connectTimeoutMs);
    const onAbort = () => {
      settle();
      reject(signal?.reason);
      socket.destroy();
    };
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    signal?.addEventListener("abort", onAbort);
    socket.once("connect", () => {
      settle();
      resolve(socket);
    });
    // Stays for good: a socket without a listener for its errors ends the process.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      settle();
      // Several addresses behind one name: Node's error for all of them has no text.
      const why = REASONS[error.code ?? ""] ?? (error.message || error.code);
      reject(Object.assign(new Error(`Cannot connect to ${url}: ${why}`, { cause: error }), { code: error.code }));
    });
  });
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: "nobody listens there",
  ENOTFOUND: "there is no such host",
  ENOENT: "there is no such socket",
  EACCES: "permission denied",
};

/**
 * Ends a socket so that the peer gets all that was written: sends FIN behind it and discards what still comes, until the
 * peer ends as well. It is cut off when for three times `lingerMs` it takes nothing, or when it has taken all and for
 * `lingerMs` sends nothing either; and after ten times `lingerMs` in any case. Closing at once with unread bytes would
 * send RST, and a peer that gets RST may lose replies it has not read yet (RFC 9293 section 3.6.1; RFC 9112 section 9.6
 * tells the same of HTTP).
 *
 * @example
 * ```ts
 * import { text } from "node:stream/consumers";
 * import { connectTcp, endSocket } from "@ipc/core/sockets";
 * import { startTcpServer } from "@ipc/core/tcp-server";
 *
 * const server = await startTcpServer({}, async (socket) => console.log(await text(socket)));
 * const socket = await connectTcp(server.url);
 * socket.write("Good day");
 * await endSocket(socket);
 * await server.close();
 * ```
 * ```text
 * Good day
 * ```
 */
export function endSocket(socket: Socket, lingerMs = 1_000): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) return resolve();
    const cutOff = () => socket.destroy();
    const timer = setTimeout(cutOff, 10 * lingerMs);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    // The socket's own timer also sees how far a long write is; no other does.
    socket.setTimeout(3 * lingerMs, cutOff);
    const onFinish = () => socket.setTimeout(lingerMs);
    if (socket.writableFinished) onFinish();
    else socket.once("finish", onFinish);
    // What a writer has queued in this turn goes out first.
    process.nextTick(() => {
      socket.end();
      socket.resume();
    });
  });
}
