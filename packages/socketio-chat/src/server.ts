import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createHttpCloser } from "@ipc/core/http-close";
import { listenError } from "@ipc/core/listen-error";
import { tell } from "@ipc/core/tell";
import { formatAddress } from "@ipc/core/url";
import { Server as IoServer } from "socket.io";
import { welcome } from "./chat.ts";
import { createFrontDoor } from "./front-door.ts";
import { type ChatServer, openHall } from "./hall.ts";
import { readServerOptions, type ServerOptions, type ServerSettings } from "./options.ts";
import { type EngineSocket, watchOutgoing } from "./outgoing.ts";
import { createMemoryPeople } from "./people.ts";
import { type Backend, openRedis } from "./redis.ts";
import { createMemoryStore } from "./store.ts";

/** A server that listens. */
export interface Server {
  /** Where it listens, and where its page is: `http://127.0.0.1:33000`. */
  readonly url: string;
  /** Says goodbye, takes no more, lets what is in flight finish within `graceMs`, cuts off the rest. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Serves a chat and its page.
 *
 * @returns The server, listening; `url` tells where.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen; `ECONNREFUSED` when Redis is not there within `waitMs`.
 * @throws {RangeError} when a limit, a duration or `port` is out of range.
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const settings = readServerOptions(options);
  const { host, port, maxConnections, heartbeatMs, graceMs, redisUrl, onEvent } = settings;
  const backend = redisUrl ? await openRedis(redisUrl, settings) : openMemory(settings);
  const attached = createServer();
  const io: ChatServer = new IoServer(attached, {
    // The longest text in the longest encoding, escaped, and some.
    maxHttpBufferSize: 16_384,
    pingInterval: heartbeatMs,
    pingTimeout: heartbeatMs,
    connectTimeout: 5_000,
    ...(backend.adapter && { adapter: backend.adapter }),
  });
  const hall = openHall(io, backend, settings);
  const clients = new Set<EngineSocket>();
  io.engine.on("connection", (client: EngineSocket) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
    watchOutgoing(client, (bytes) => {
      const reason = `it does not read: ${bytes} bytes wait`;
      tell(onEvent, { type: "dropped", peer: client.remoteAddress, reason });
    });
  });
  io.on("connection", (socket) => welcome(socket, hall));

  const http = await createFrontDoor(settings, attached, {
    hasRoom: () => clients.size < maxConnections && !hall.isClosing,
    onRefused: (peer, { status, detail: reason }) => tell(onEvent, { type: "refused", peer, status, reason }),
  });
  const sockets = new Set<Socket>();
  http.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const closeHttp = createHttpCloser(http);
  http.listen({ host, port, backlog: 4_096 });
  await once(http, "listening").catch(async (cause) => {
    await Promise.all([hall.close(), io.close()]);
    backend.close();
    throw listenError(formatAddress("http", { host, port }), cause);
  });
  http.on("error", (error) => tell(onEvent, { type: "failed", error }));
  const { address, port: bound } = http.address() as AddressInfo;

  let closing: Promise<void> | undefined;
  async function closeAll() {
    const cutOff = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    const isClosed = closeHttp(graceMs);
    io.local.emit("notice", { kind: "goodbye", text: "The server stops. Goodbye!" });
    await Promise.race([hall.close(), isClosed]);
    // Not `io.close()` yet, which drops what waits: these go once they have taken it. A DISCONNECT of Socket.IO's would tell
    // clients not to come back. One that polls could not be waited for: it may never ask again.
    for (const client of clients) client.close(client.transport.name === "polling");
    await isClosed;
    clearTimeout(cutOff);
    await io.close();
    backend.close();
  }
  const close = () => (closing ??= closeAll());
  return { url: formatAddress("http", { host: address, port: bound }), close, [Symbol.asyncDispose]: close };
}

/** A chat of one process, gone with it. */
function openMemory({ keepMessages }: ServerSettings): Backend {
  // 1,000: a room costs its history.
  const maxRooms = 1_000;
  return {
    store: createMemoryStore(keepMessages, maxRooms),
    people: createMemoryPeople(maxRooms),
    refreshMs: 0,
    close() {},
  };
}
