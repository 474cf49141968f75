/**
 * What comes before a WebSocket: HTTP. Who may come in, and the page for those who look with a browser.
 *
 * @module
 */
import { once } from "node:events";
import { createServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createHttpGuard, type Problem, problem } from "@ipc/core/http-guard";
import { endWithProblem, refuseUnreadable } from "@ipc/core/http-problems";
import { listenError } from "@ipc/core/listen-error";
import { readPage } from "@ipc/core/page-files";
import { formatAddress } from "@ipc/core/url";
import { WebSocketServer } from "ws";
import { addressOf } from "./connection.ts";
import type { ServerSettings } from "./options.ts";
import { ECHO, type Protocol, SESSION } from "./protocol.ts";
import { limitsOf, TurnSocket } from "./turn-socket.ts";

/** Whom the door tells. */
export interface DoorOwner {
  /** Whether there is room for one more. */
  hasRoom(): boolean;
  onOpen(ws: TurnSocket, protocol: Protocol): void;
  /** @param peer Address and port. */
  onRefused(peer: string, found: Problem): void;
}

/** An HTTP server that is not listening yet. */
export async function createFrontDoor(settings: ServerSettings, owner: DoorOwner): Promise<HttpServer> {
  const guard = createHttpGuard(settings);
  const page = await readPage(new URL("page/", import.meta.url));
  const handshakes = { [ECHO]: createHandshake(settings, ECHO), [SESSION]: createHandshake(settings, SESSION) };
  const server = createServer({
    headersTimeout: settings.headersTimeoutMs,
    requestTimeout: settings.headersTimeoutMs,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 8_192,
    noDelay: true,
    // The guard says it, as a problem.
    requireHostHeader: false,
  });

  server.on("request", (request, response) => {
    const found = guard(request) ?? refuseRequest(request);
    const file = page.get(pathOf(request));
    if (found || !file) return refuse(request.socket, found ?? problem(404, `there is no ${request.url}`));
    response.writeHead(200, file.headers).end(request.method === "HEAD" ? undefined : file.body);
  });
  // Above the handshakes' own limit, so that whoever is too many is told.
  server.maxConnections = settings.maxConnections + 100;
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const protocol = chooseProtocol(request);
    const found = guard(request) ?? refuseRequest(request) ?? refuseUpgrade(request);
    if (found) return refuse(socket, found);
    if (!protocol) return refuse(socket, problem(400, `no such subprotocol: offer ${ECHO} or ${SESSION}`));
    if (!owner.hasRoom()) return refuse(socket, problem(503, "there is no room for one more"));
    handshakes[protocol].handleUpgrade(request, socket, head, (ws) => {
      ws.attach(socket, false);
      owner.onOpen(ws, protocol);
    });
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const found = refuseUnreadable(error, socket);
    if (found) owner.onRefused(addressOf(socket), found);
  });

  /** Nobody who is refused is let in again on the same connection. Of a handshake, a page only learns that it failed. */
  function refuse(socket: Socket, found: Problem): void {
    owner.onRefused(addressOf(socket), found);
    endWithProblem(socket, found, HINTS[found.status]);
  }
  return server;
}

/** @returns the URL. @throws {Error} `EADDRINUSE` and its like. */
export async function listen(server: HttpServer, host: string, port: number): Promise<string> {
  // 4096: Linux's own limit (somaxconn), so that a crowd that comes at once is not told to try again in a second.
  server.listen({ host, port, backlog: 4_096 });
  await once(server, "listening").catch((cause) => {
    throw listenError(formatAddress("ws", { host, port }), cause);
  });
  const { address, port: bound } = server.address() as AddressInfo;
  return formatAddress("ws", { host: address, port: bound });
}

function createHandshake(settings: ServerSettings, protocol: Protocol) {
  return new WebSocketServer<typeof TurnSocket>({
    ...limitsOf(settings, protocol),
    WebSocket: TurnSocket,
    noServer: true,
    clientTracking: false,
    handleProtocols: () => protocol,
  });
}

/** The first that is known of those offered; a client that offers none gets the one that needs no knowledge. */
function chooseProtocol({ headers }: IncomingMessage): Protocol | undefined {
  const offered = headers["sec-websocket-protocol"];
  if (offered === undefined) return ECHO;
  return offered
    .split(",")
    .map((name) => name.trim())
    .find((name) => name === ECHO || name === SESSION);
}

/** What else the refused are told, by status. */
const HINTS: Readonly<Record<number, Record<string, string>>> = {
  405: { allow: "GET, HEAD" },
  426: { "sec-websocket-version": "13" },
  503: { "retry-after": "1" },
};

/** Nothing here takes a body. */
function refuseRequest({ method, headers }: IncomingMessage): Problem | undefined {
  if (method !== "GET" && method !== "HEAD") return problem(405, "there is nothing here to write to");
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  return hasBody ? problem(413, "a request here has no body") : undefined;
}

/** What `ws` does not look at, or is more patient with: it takes version 8 (RFC 6455 section 4.2.2 wants 13). */
function refuseUpgrade(request: IncomingMessage): Problem | undefined {
  const { upgrade, "sec-websocket-version": version } = request.headers;
  if (upgrade?.toLowerCase() !== "websocket") return problem(400, `there is no upgrade to '${upgrade}'`);
  if (version !== "13") return problem(426, "Sec-WebSocket-Version has to be 13");
  return pathOf(request) === "/" ? undefined : problem(404, `there is no ${request.url}`);
}

function pathOf({ url = "/" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? url;
}
