/**
 * Ending an HTTP server so that nobody loses an answer.
 *
 * @module
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Gives the function that ends a server; to be called before the server listens.
 *
 * It takes no new connection, closes those that are idle or have said nothing yet (browsers open some ahead of need), lets
 * answers that are on their way finish within `graceMs` and closes each connection behind its answer; then cuts off the
 * rest. Resolves when all are closed.
 *
 * Clients that keep connections open between requests may find one reset just as they use it: that is for them to try
 * again (RFC 9110 section 9.2.2 tells which requests may be).
 *
 * @example
 * ```ts
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import { createHttpCloser } from "@ipc/core/http-close";
 *
 * const server = createServer((_request, response) => response.end("Good day"));
 * const close = createHttpCloser(server);
 * await once(server.listen(0, "127.0.0.1"), "listening");
 * await close(1_000);
 * console.log(server.listening);
 * ```
 * ```text
 * false
 * ```
 */
export function createHttpCloser(server: Server): (graceMs: number) => Promise<void> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });

  return async (graceMs) => {
    if (!server.listening) return;
    // An answer that begins from now on says that it is the last of its connection.
    server.prependListener("request", (_request, response) => {
      response.shouldKeepAlive = false;
    });
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
    const cutOff = setTimeout(() => server.closeAllConnections(), graceMs);
    // To Node they are at work: it waits for a request's head to come.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    await closed;
    clearInterval(sweep);
    clearTimeout(cutOff);
  };
}

/** 50 ms: how long a connection whose last answer promised to keep it open may outlive that answer. */
const SWEEP_MS = 50;
