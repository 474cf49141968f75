import { createHttpCloser } from "@ipc/core/http-close";
import { tell } from "@ipc/core/tell";
import { Connection } from "./connection.ts";
import { createFrontDoor, listen } from "./front-door.ts";
import { readServerOptions, type ServerOptions } from "./options.ts";
import { ServerPeer } from "./peer.ts";
import { CLOSE, ECHO, type Ending, formatMessage } from "./protocol.ts";
import { Sessions } from "./sessions.ts";

/** A server that listens. */
export interface Server {
  /** Where it listens: `ws://127.0.0.1:9905`. The page is at the same address with `http`. */
  readonly url: string;
  /** Sends a message to everybody. @returns to how many. @throws as `peer.send()` does. */
  broadcast(message: unknown): number;
  /** Takes no more, lets what is in flight finish within `graceMs`, cuts off the rest. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Answers every message with what `handler` makes of it, in the order in which they came. `ipc.echo.v1` and
 * `ipc.session.v1` on one port, and a page at `/` that speaks with it.
 *
 * @returns The server, listening; `url` tells where.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen.
 * @throws {RangeError} when a limit, a duration or `port` is out of range.
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const settings = readServerOptions(options);
  const { host, port, maxPayload, maxConnections, graceMs, onEvent } = settings;
  const connections = new Set<Connection>();
  const peers = new Set<ServerPeer>();
  let isClosing = false;

  const peerSettings = { ...settings, onGone: (peer: ServerPeer) => void peers.delete(peer) };
  const sessions = new Sessions({
    ...peerSettings,
    onStart: welcome,
    onResume: ({ name: peer }, repeated, gone) => tell(onEvent, { type: "resumed", peer, repeated, gone }),
  });
  const connectionSettings = {
    ...settings,
    onPaused: ({ name: peer }: Connection, bufferedBytes: number) =>
      tell(onEvent, { type: "paused", peer, bufferedBytes }),
    onEnd(connection: Connection, { code, reason, error }: Ending) {
      connections.delete(connection);
      const { name: peer } = connection;
      tell(onEvent, error ? { type: "dropped", peer, error } : { type: "closed", peer, code, reason });
    },
  };

  const http = await createFrontDoor(settings, {
    hasRoom: () => connections.size < maxConnections && !isClosing,
    onOpen(ws, protocol) {
      const connection = new Connection(ws, connectionSettings);
      connections.add(connection);
      tell(onEvent, { type: "connected", peer: connection.name, protocol });
      if (protocol !== ECHO) return sessions.greet(connection);
      const peer = new ServerPeer(connection, peerSettings);
      connection.speaker = peer;
      welcome(peer);
    },
    onRefused: (peer, { status, detail: reason }) => tell(onEvent, { type: "refused", peer, status, reason }),
  });

  function welcome(peer: ServerPeer) {
    peers.add(peer);
    try {
      settings.onConnect?.(peer);
    } catch (error) {
      tell(onEvent, { type: "failed", error: error as Error });
      peer.close(CLOSE.handlerFailed);
    }
  }

  const closeHttp = createHttpCloser(http);
  const url = await listen(http, host, port);
  http.on("error", (error) => tell(onEvent, { type: "failed", error }));

  async function finish(connection: Connection) {
    connection.deafen();
    await connection.speaker?.done?.();
    connection.close(CLOSE.goingAway, "the server stops");
  }

  let closing: Promise<void> | undefined;
  async function closeAll() {
    isClosing = true;
    const cutOff = setTimeout(() => {
      for (const connection of connections) connection.drop();
    }, graceMs);
    for (const connection of connections) void finish(connection);
    await closeHttp(graceMs);
    clearTimeout(cutOff);
    sessions.endAll();
  }
  const close = () => (closing ??= closeAll());
  return {
    url,
    broadcast(message) {
      const text = formatMessage(message, maxPayload);
      for (const peer of peers) peer.sendText(text);
      return peers.size;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
