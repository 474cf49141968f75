/**
 * What comes before a chat: HTTP. Who may come in, the page, and Socket.IO behind both.
 *
 * @module
 */
import { createServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { createHttpGuard, type HttpGuardOptions, type Problem, problem } from "@ipc/core/http-guard";
import { endWithProblem, refuseUnreadable, sendProblem } from "@ipc/core/http-problems";
import { readPage } from "@ipc/core/page-files";

/** Whom the door asks and tells. */
export interface DoorOwner {
  /** Whether there is room for one more client. */
  hasRoom(): boolean;
  onRefused(peer: string, found: Problem): void;
}

/**
 * An HTTP server that is not listening yet. Socket.IO is attached to a server of its own that listens nowhere: it only sees
 * requests that were let in, whatever transport they are for.
 *
 * @param chat Where Socket.IO is attached to.
 */
export async function createFrontDoor(
  options: HttpGuardOptions,
  chat: HttpServer,
  { hasRoom, onRefused }: DoorOwner,
): Promise<HttpServer> {
  const guard = createHttpGuard(options);
  const page = await readPage(new URL("page/", import.meta.url));
  const server = createServer(LIMITS);

  server.on("request", (request, response) => {
    const found = refuseGuest(request);
    if (!found && isForChat(request)) return chat.emit("request", request, response);
    const file = page.get(pathOf(request));
    const refusal = found ?? refuseWriting(request) ?? (file ? undefined : problem(404, `there is no ${request.url}`));
    if (!refusal) return response.writeHead(200, file?.headers).end(file?.body);
    onRefused(request.socket.remoteAddress ?? "", refusal);
    return sendProblem(response, refusal, { connection: "close", ...HINTS[refusal.status] });
  });
  server.on("upgrade", (request, socket: Socket, head) => {
    // Socket.IO listens once it has one; until then a reset would end the process.
    socket.on("error", ignore);
    const found = refuseGuest(request) ?? refuseUpgrade(request);
    if (found) refuse(socket, found);
    else chat.emit("upgrade", request, socket, head);
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const found = refuseUnreadable(error, socket);
    if (found) onRefused(socket.remoteAddress ?? "", found);
  });

  function refuseGuest(request: IncomingMessage): Problem | undefined {
    const isNew = isForChat(request) && /EIO=(?!.*sid=)/.test(request.url ?? "");
    return guard(request) ?? (isNew && !hasRoom() ? problem(503, "there is no room for one more") : undefined);
  }

  /** Where there is no response to write to: the page only learns that it failed, programs can read why. */
  function refuse(socket: Socket, found: Problem): void {
    onRefused(socket.remoteAddress ?? "", found);
    endWithProblem(socket, found, HINTS[found.status]);
  }
  return server;
}

const LIMITS = {
  headersTimeout: 3_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8_192,
  noDelay: true,
  // The guard says it, as a problem.
  requireHostHeader: false,
};

function pathOf({ url = "/" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? url;
}

/** Socket.IO's own path: `/socket.io/`. */
function isForChat(request: IncomingMessage): boolean {
  return pathOf(request).startsWith("/socket.io/");
}

function refuseWriting({ method }: IncomingMessage): Problem | undefined {
  return method === "GET" || method === "HEAD" ? undefined : problem(405, "there is nothing here to write to");
}

/** What the engine is more patient with: RFC 6455 section 4.2.2 wants version 13. */
function refuseUpgrade(request: IncomingMessage): Problem | undefined {
  if (!isForChat(request)) return problem(404, `there is no ${request.url}`);
  const isKnown = request.headers["sec-websocket-version"] === "13";
  return isKnown ? undefined : problem(426, "Sec-WebSocket-Version has to be 13");
}

/** What else the refused are told, by status. */
const HINTS: Readonly<Record<number, Record<string, string>>> = {
  405: { allow: "GET, HEAD" },
  426: { "sec-websocket-version": "13" },
  503: { "retry-after": "1" },
};

function ignore() {}
