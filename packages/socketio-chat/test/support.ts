import { once } from "node:events";
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { until } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import { type Socket as IoSocket, io } from "socket.io-client";
import {
  type Client,
  type ClientOptions,
  type ConversationEvent,
  connect,
  type Server,
  type ServerEvent,
  type ServerOptions,
  startServer,
} from "../src/index.ts";

/** A server for one test, and what it told. */
export async function serve(t: TestContext, options: ServerOptions = {}) {
  const events: ServerEvent[] = [];
  const server: Server = await startServer({ ...options, onEvent: (event) => void events.push(event) });
  t.after(() => server.close());
  const told = <T extends ServerEvent["type"]>(type: T) =>
    until(() => events.find((event): event is Extract<ServerEvent, { type: T }> => event.type === type));
  return { server, url: server.url, events, told };
}

/** Somebody in a chat, and all that has happened to them. */
export interface Person {
  client: Client;
  events: ConversationEvent[];
  /** The texts of all messages so far. */
  texts(): string[];
  /** Resolves with the first event of a type that `matches`. */
  saw<T extends ConversationEvent["type"]>(
    type: T,
    matches?: (event: Extract<ConversationEvent, { type: T }>) => boolean,
  ): Promise<Extract<ConversationEvent, { type: T }>>;
}

/** Comes into a chat. */
export async function come(t: TestContext, url: string, options: ClientOptions = {}): Promise<Person> {
  const client = await connect(url, { graceMs: 500, ...options });
  t.after(() => client.close());
  const events: ConversationEvent[] = [];
  void (async () => {
    for await (const event of client) events.push(event);
  })();
  return {
    client,
    events,
    texts: () => events.flatMap((event) => (event.type === "message" ? event.message.text : [])),
    saw: (type, matches = () => true) =>
      until(() =>
        events.find(
          (event): event is Extract<ConversationEvent, { type: typeof type }> =>
            event.type === type && matches(event as Extract<ConversationEvent, { type: typeof type }>),
        ),
      ),
  };
}

/** Socket.IO's own client, for what ours would never send. */
export async function plainSocket(t: TestContext, url: string, transports = ["websocket"]): Promise<IoSocket> {
  const socket = io(url, { forceNew: true, transports, reconnection: false });
  t.after(() => socket.disconnect());
  await new Promise<void>((resolve, reject) => socket.on("connect", resolve).on("connect_error", reject));
  return socket;
}

/**
 * Sends packets over one WebSocket of Engine.IO, as they are, and waits until the server has read them or has closed it: for
 * what no client would send.
 */
export async function throwAt(url: string, packets: readonly (string | Buffer)[]): Promise<void> {
  const { host, port } = parseAddress(url, "http");
  const socket = connectSocket(port, host);
  socket.on("error", () => {});
  socket.write(
    [
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
      `Host: ${host}:${port}`,
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${"a".repeat(22)}==\r\n\r\n`,
    ].join("\r\n"),
  );
  await once(socket, "data");
  socket.write(frame(TEXT, Buffer.from("40")));
  for (const packet of packets) socket.write(frame(typeof packet === "string" ? TEXT : BINARY, Buffer.from(packet)));
  socket.write(frame(PING, Buffer.alloc(0)));
  await new Promise<void>((resolve) => {
    socket.on("close", () => resolve());
    // Everything else that comes is text of ASCII.
    socket.on("data", (chunk: Buffer) => (chunk.includes(PONG) || chunk.includes(CLOSE)) && resolve());
  });
  socket.destroy();
}

const TEXT = 0x81;
const BINARY = 0x82;
const PING = 0x89;
const PONG = 0x8a;
const CLOSE = 0x88;

/** A client's frame (RFC 6455 section 5.2), masked with zeros. */
function frame(first: number, payload: Buffer): Buffer {
  const head = Buffer.from([first, 0xfe, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(payload.length, 2);
  return first === PING ? Buffer.from([first, 0x80, 0, 0, 0, 0]) : Buffer.concat([head, payload]);
}

/** Something in the way to a server: it can be cut, or brings nothing any more; with `pieceBytes` it hands on that much at a time. */
export async function startCable(t: TestContext, url: string, { pieceBytes = Number.POSITIVE_INFINITY } = {}) {
  const sockets = new Set<Socket>();
  let isBlocked = false;
  const server = createServer((near) => {
    if (isBlocked) return void near.resetAndDestroy();
    const far = connectSocket({ ...parseAddress(url, "http"), noDelay: true });
    near.setNoDelay();
    link(near, far);
    link(far, near);
  });
  function link(from: Socket, to: Socket) {
    sockets.add(from);
    from
      .on("error", () => {})
      .on("close", () => {
        to.destroy();
        sockets.delete(from);
      });
    from.on("data", (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += pieceBytes) to.write(chunk.subarray(at, at + pieceBytes));
    });
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  t.after(() => {
    cut();
    server.close();
  });
  const hold = () => {
    for (const socket of sockets) socket.pause();
  };
  const block = () => {
    isBlocked = true;
    cut();
  };
  const unblock = () => {
    isBlocked = false;
  };
  return { cut, hold, block, unblock, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A port that was free a moment ago: for a client that comes before its server. */
export async function freeUrl(): Promise<string> {
  const server = await startServer();
  await server.close();
  return server.url;
}

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);
