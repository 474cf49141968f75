/**
 * The part of a TCP server that is the same whatever it speaks: listening, counting, refusing, and closing so that
 * nobody loses an answer.
 *
 * @module
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { checkDurations } from "./durations.ts";
import { endSocket } from "./sockets.ts";
import { tell } from "./tell.ts";
import { formatAddress } from "./url.ts";

/** Where a TCP server listens, and its limits. */
export interface TcpServerOptions {
  /** The address to listen on; `0.0.0.0` opens it to the network. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** 0 takes a free one; `url` tells which. @default {0} */
  port?: number | undefined;
  /** More connections than this at once are closed as they come; at least 1. @default {10_000} */
  maxConnections?: number | undefined;
  /** How long `close()` lets messages in flight finish, in ms; then they are cut off. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: TcpServerEvent) => void) | undefined;
}

/** What a TCP server tells. `peer` is an address and port such as `127.0.0.1:54321`. */
export type TcpServerEvent =
  | { type: "connected"; peer: string }
  | { type: "closed"; peer: string }
  /** The connection was ended because of this error. */
  | { type: "dropped"; peer: string; error: Error }
  /** A connection above `maxConnections`. */
  | { type: "refused"; peer: string; maxConnections: number }
  /** A connection could not be accepted: `EMFILE`. */
  | { type: "failed"; error: Error };

/** A server that listens. */
export interface TcpServer {
  /** Where it listens: `tcp://127.0.0.1:65432`. */
  readonly url: string;
  /** Takes no more, lets what is in flight finish within `graceMs`, cuts off the rest. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Defaults of options left out. */
export const TCP_SERVER_DEFAULTS = { host: "127.0.0.1", maxConnections: 10_000, graceMs: 3_000 };

/**
 * Listens, and runs `serve` once for each connection.
 *
 * @param serve Talks on one connection until the peer ends it, or until `signal` aborts because the server closes: then
 *   it finishes what it has begun and returns. Its throw drops this connection only.
 * @throws {Error} `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, with the URL in its text.
 * @example
 * ```ts
 * import { text } from "node:stream/consumers";
 * import { connectTcp } from "@ipc/core/sockets";
 * import { startTcpServer } from "@ipc/core/tcp-server";
 *
 * const server = await startTcpServer({}, async (socket) => {
 *   socket.write("Good day");
 * });
 * console.log(await text(await connectTcp(server.url)));
 * await server.close();
 * ```
 * ```text
 * Good day
 * ```
 */
export async function startTcpServer(
  options: TcpServerOptions,
  serve: (socket: Socket, signal: AbortSignal) => Promise<void>,
): Promise<TcpServer> {
  const {
    host = TCP_SERVER_DEFAULTS.host,
    port = 0,
    maxConnections = TCP_SERVER_DEFAULTS.maxConnections,
    graceMs = TCP_SERVER_DEFAULTS.graceMs,
    onEvent,
  } = options;
  checkDurations({ graceMs });
  if (!(maxConnections >= 1)) {
    throw new RangeError(`Cannot use maxConnections: current value is ${maxConnections}, the least is 1`);
  }
  if (host === "") throw new TypeError("Cannot listen on host '': that would be every address of this machine");
  const connections = new Set<Socket>();
  const stop = new AbortController();

  // Half open: a peer that has sent its last message still gets its answers.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    void handle(socket);
  });
  server.maxConnections = maxConnections;
  server.on("drop", (data) => {
    tell(onEvent, { type: "refused", peer: peerOf(data ?? {}), maxConnections });
  });

  async function handle(socket: Socket) {
    const peer = peerOf(socket);
    connections.add(socket);
    // Every read and write reports the error too; without this listener it would end the process.
    socket.on("error", () => {});
    tell(onEvent, { type: "connected", peer });
    try {
      await serve(socket, stop.signal);
      await endSocket(socket);
      tell(onEvent, { type: "closed", peer });
    } catch (error) {
      tell(onEvent, { type: "dropped", peer, error: error as Error });
      await endSocket(socket);
    } finally {
      connections.delete(socket);
    }
  }

  await listen(server, host, port);
  server.on("error", (error) => tell(onEvent, { type: "failed", error }));
  const { address, port: bound } = server.address() as AddressInfo;
  const url = formatAddress("tcp", { host: address, port: bound });

  let closing: Promise<void> | undefined;
  async function closeAll() {
    const closed = new Promise((resolve) => server.close(resolve));
    stop.abort();
    const timer = setTimeout(() => {
      for (const socket of connections) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
  }
  const close = () => (closing ??= closeAll());
  return { url, close, [Symbol.asyncDispose]: close };
}

/**
 * One line for a log.
 *
 * @example
 * ```ts
 * import { describeTcpEvent } from "@ipc/core/tcp-server";
 *
 * console.log(describeTcpEvent({ type: "connected", peer: "127.0.0.1:54321" }));
 * ```
 * ```text
 * 127.0.0.1:54321 connected
 * ```
 */
export function describeTcpEvent(event: TcpServerEvent): string {
  switch (event.type) {
    case "connected":
      return `${event.peer} connected`;
    case "closed":
      return `${event.peer} closed`;
    case "dropped":
      return `${event.peer} dropped: ${event.error.message}`;
    case "refused":
      return `${event.peer} refused: ${event.maxConnections} connections are open, which is the limit`;
    case "failed":
      return `Cannot accept connection: ${event.error.message}`;
  }
}

function peerOf({
  remoteAddress: host = "unknown",
  remotePort: port = 0,
}: Partial<Pick<Socket, "remoteAddress" | "remotePort">>) {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  // 4096: Linux's own limit (somaxconn), so that a crowd that comes at once is not told to try again in a second.
  server.listen({ host, port, backlog: 4_096 });
  try {
    await once(server, "listening");
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    const url = formatAddress("tcp", { host, port });
    throw Object.assign(new Error(`Cannot listen on ${url}: ${REASONS[code] ?? message}`, { cause }), {
      code,
    });
  }
}

const REASONS: Record<string, string> = {
  EADDRINUSE: "the port is taken",
  EACCES: "permission denied, as for most ports below 1024",
  EADDRNOTAVAIL: "it is no address of this machine",
};
