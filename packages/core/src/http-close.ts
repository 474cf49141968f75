/**
 * Ending an HTTP server so that nobody loses an answer.
 *
 * @module
 */
import type { Server } from "node:http";

/**
 * Takes no new connection, closes those that are idle, lets answers that are on their way finish within `graceMs` and
 * closes each connection behind its answer; then cuts off the rest. Resolves when all are closed.
 *
 * Clients that keep connections open between requests may find one reset just as they use it: that is for them to try
 * again (RFC 9110 section 9.2.2 tells which requests may be).
 *
 * @example
 * ```ts
 * import { once } from "node:events";
 * import { createServer } from "node:http";
 * import { closeHttpServer } from "@ipc/core/http-close";
 *
 * const server = createServer((_request, response) => response.end("Good day")).listen(0, "127.0.0.1");
 * await once(server, "listening");
 * await closeHttpServer(server, 1_000);
 * console.log(server.listening);
 * ```
 * ```text
 * false
 * ```
 */
export async function closeHttpServer(server: Server, graceMs: number): Promise<void> {
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
  await closed;
  clearInterval(sweep);
  clearTimeout(cutOff);
}

/** 50 ms: how long a connection whose last answer promised to keep it open may outlive that answer. */
const SWEEP_MS = 50;
