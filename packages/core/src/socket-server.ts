/**
 * The part of a server that is the same whatever it speaks and wherever it listens: counting, refusing, and closing so
 * that nobody loses an answer. {@link startTcpServer} and {@link startUnixServer} are this with an address.
 *
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import { checkDurations } from "./durations.ts";
import { endSocket } from "./sockets.ts";
import { tell } from "./tell.ts";

/** The limits of a server. */
export interface SocketServerOptions {
  /** More connections than this at once are closed as they come; at least 1. @default {10_000} */
  maxConnections?: number | undefined;
  /** How long `close()` lets messages in flight finish, in ms; then they are cut off. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: SocketServerEvent) => void) | undefined;
}

/** What a server tells. `peer` is an address and port such as `127.0.0.1:54321`, or a number where there are none. */
export type SocketServerEvent =
  | { type: "connected"; peer: string }
  | { type: "closed"; peer: string }
  /** The connection was ended because of this error. */
  | { type: "dropped"; peer: string; error: Error }
  /** A connection above `maxConnections`. */
  | { type: "refused"; peer: string; maxConnections: number }
  /** A connection could not be accepted: `EMFILE`. */
  | { type: "failed"; error: Error };

/** A server that listens. */
export interface SocketServer {
  /** Where it listens: `tcp://127.0.0.1:65432`, `unix:/tmp/echo.sock`. */
  readonly url: string;
  /** Takes no more, lets what is in flight finish within `graceMs`, cuts off the rest. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Defaults of options left out. */
export const SOCKET_SERVER_DEFAULTS = { maxConnections: 10_000, graceMs: 3_000 };

/** What a connection is known by; nothing of it is there for one that is gone already. */
export type Peer = Partial<Pick<Socket, "remoteAddress" | "remotePort">>;

/** An address to listen on. */
export interface Place {
  /** Makes `server` listen there. Resolves with the URL. */
  listen(server: Server): Promise<string>;
  /** How a connection is called in events. */
  nameOf(peer: Peer): string;
  /** Gives the address up, before the server stops listening. */
  leave?(): Promise<void>;
}

/**
 * Listens at a place, and runs `serve` once for each connection.
 *
 * @param serve Talks on one connection until the peer ends it, or until `signal` aborts because the server closes: then
 *   it finishes what it has begun and returns. Its throw drops this connection only.
 * @throws {Error} what `place.listen()` rejects with.
 */
export async function startSocketServer(
  place: Place,
  options: SocketServerOptions,
  serve: (socket: Socket, signal: AbortSignal) => Promise<void>,
): Promise<SocketServer> {
  const {
    maxConnections = SOCKET_SERVER_DEFAULTS.maxConnections,
    graceMs = SOCKET_SERVER_DEFAULTS.graceMs,
    onEvent,
  } = options;
  checkDurations({ graceMs });
  if (!(maxConnections >= 1)) {
    throw new RangeError(`Cannot use maxConnections: current value is ${maxConnections}, the least is 1`);
  }
  const connections = new Set<Socket>();
  const stop = new AbortController();

  // Half open: a peer that has sent its last message still gets its answers.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    void handle(socket);
  });
  server.maxConnections = maxConnections;
  server.on("drop", (data) => {
    tell(onEvent, { type: "refused", peer: place.nameOf(data ?? {}), maxConnections });
  });

  async function handle(socket: Socket) {
    const peer = place.nameOf(socket);
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

  const url = await place.listen(server);
  server.on("error", (error) => tell(onEvent, { type: "failed", error }));

  let closing: Promise<void> | undefined;
  async function closeAll() {
    const left = place.leave?.();
    await left?.catch(() => {});
    const closed = new Promise((resolve) => server.close(resolve));
    stop.abort();
    const timer = setTimeout(() => {
      for (const socket of connections) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
    // Also where the address could not be given up, everything else is closed.
    await left;
  }
  const close = () => (closing ??= closeAll());
  return { url, close, [Symbol.asyncDispose]: close };
}

/**
 * One line for a log.
 *
 * @example
 * ```ts
 * import { describeSocketEvent } from "@ipc/core/socket-server";
 *
 * console.log(describeSocketEvent({ type: "connected", peer: "127.0.0.1:54321" }));
 * ```
 * ```text
 * 127.0.0.1:54321 connected
 * ```
 */
export function describeSocketEvent(event: SocketServerEvent): string {
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
