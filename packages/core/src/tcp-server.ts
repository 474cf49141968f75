/**
 * The part of a TCP server that is the same whatever it speaks: listening, counting, refusing, and closing so that
 * nobody loses an answer.
 *
 * @module
 */
import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import { listenError } from "./listen-error.ts";
import {
  describeSocketEvent,
  type Peer,
  SOCKET_SERVER_DEFAULTS,
  type SocketServer,
  type SocketServerEvent,
  type SocketServerOptions,
  startSocketServer,
} from "./socket-server.ts";
import { formatAddress } from "./url.ts";

/** Where a TCP server listens, and its limits. */
export interface TcpServerOptions extends SocketServerOptions {
  /** The address to listen on; `0.0.0.0` opens it to the network. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** 0 takes a free one; `url` tells which. @default {0} */
  port?: number | undefined;
}

/** What a TCP server tells. `peer` is an address and port such as `127.0.0.1:54321`. */
export type TcpServerEvent = SocketServerEvent;

/** A server that listens; its `url` is such as `tcp://127.0.0.1:65432`. */
export type TcpServer = SocketServer;

/** Defaults of options left out. */
export const TCP_SERVER_DEFAULTS = { host: "127.0.0.1", ...SOCKET_SERVER_DEFAULTS };

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
  const { host = TCP_SERVER_DEFAULTS.host, port = 0 } = options;
  if (host === "") throw new TypeError("Cannot listen on host '': that would be every address of this machine");
  const place = { listen: (server: Server) => listen(server, host, port), nameOf };
  return await startSocketServer(place, options, serve);
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
export const describeTcpEvent: (event: TcpServerEvent) => string = describeSocketEvent;

function nameOf({ remoteAddress: host = "unknown", remotePort: port = 0 }: Peer) {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  // 4096: Linux's own limit (somaxconn), so that a crowd that comes at once is not told to try again in a second.
  server.listen({ host, port, backlog: 4_096 });
  await once(server, "listening").catch((cause) => {
    throw listenError(formatAddress("tcp", { host, port }), cause);
  });
  const { address, port: bound } = server.address() as AddressInfo;
  return formatAddress("tcp", { host: address, port: bound });
}
