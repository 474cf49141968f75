import { connect as connectSocket, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { findFreePort } from "@ipc/core/services";
import { parseAddress } from "@ipc/core/url";
import { WebSocket } from "ws";
import {
  type Client,
  type ClientEvent,
  type ClientOptions,
  connect,
  type ServerEvent,
  type ServerOptions,
  startServer,
} from "../src/index.ts";

/** The message of the original. */
export const FIVE_SIX = { five: 5, six: 6 };

/** What was told, and a way to wait for what will be. */
function createRecord<E extends { type: string }>() {
  const events: E[] = [];
  const waiting = new Set<() => void>();
  return {
    events,
    onEvent(event: E) {
      events.push(event);
      for (const look of [...waiting]) look();
    },
    /** Resolves with the nth event of a type, told already or still to come. */
    told<T extends E["type"]>(type: T, nth = 1): Promise<Extract<E, { type: T }>> {
      return new Promise((resolve) => {
        const look = () => {
          const event = events.filter((one) => one.type === type)[nth - 1];
          if (!event) return;
          waiting.delete(look);
          resolve(event as Extract<E, { type: T }>);
        };
        waiting.add(look);
        look();
      });
    },
  };
}

/** A server for one test, and what it told. */
export async function serve(t: TestContext, options: ServerOptions = {}) {
  const { events, told, onEvent } = createRecord<ServerEvent>();
  const server = await startServer({ ...options, onEvent });
  t.after(async () => {
    // First those that would look for it.
    await Promise.all(clientsOf(t).map((one) => one.close()));
    await server.close();
  });
  return { server, url: server.url, events, told };
}

/** A client for one test, and what it told. It comes back soon: few tests are about a crowd. */
export async function join(t: TestContext, url: string, options: ClientOptions = {}) {
  const { events, told, onEvent } = createRecord<ClientEvent>();
  const client = await connect(url, { reconnectMs: 100, ...options, onEvent });
  clientsOf(t).push(client);
  t.after(() => client.close());
  return { client, events, told };
}

const clients = new WeakMap<TestContext, Client[]>();

function clientsOf(t: TestContext): Client[] {
  const found = clients.get(t) ?? [];
  clients.set(t, found);
  return found;
}

/** The next `count` messages of a client. */
export async function take(client: Client, count: number): Promise<unknown[]> {
  const messages: unknown[] = [];
  for await (const message of client) if (messages.push(message) === count) break;
  return messages;
}

/** `ws` as it is: independent of our own client. */
export async function open(t: TestContext, url: string, protocol?: string, origin?: string): Promise<WebSocket> {
  const socket = new WebSocket(url, protocol ? [protocol] : [], {
    perMessageDeflate: false,
    ...(origin !== undefined && { origin }),
  });
  t.after(() => socket.terminate());
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  return socket;
}

/** The next text that comes. */
export function nextText(socket: WebSocket): Promise<string> {
  return new Promise((resolve) => socket.once("message", (data) => resolve(data.toString())));
}

/** How the connection ends. */
export function ended(socket: WebSocket): Promise<{ code: number; reason: string }> {
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() })));
}

/** A plain socket, for what no client would do. */
export async function dial(t: TestContext, url: string): Promise<Socket> {
  const { host, port } = parseAddress(url, "ws");
  const socket = connectSocket({ host, port, noDelay: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** The lines of a handshake; what is given replaces or, when `undefined`, removes. */
export function handshake(changed: Record<string, string | undefined> = {}): string {
  const headers: Record<string, string | undefined> = {
    Host: "127.0.0.1",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...changed,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return `GET / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** A plain socket behind its handshake: what comes from now on is frames. */
export async function dialUpgraded(t: TestContext, url: string): Promise<Socket> {
  const socket = await dial(t, url);
  socket.write(handshake());
  await receive(socket, (all) => all.includes("\r\n\r\n"));
  return socket;
}

/** A client's frame, masked with zeros so that a test can read it. */
export function frame(payload: string | Uint8Array, { opcode = 1, isLast = true, flags = 0 } = {}): Buffer {
  const bytes = Buffer.from(payload);
  const length = bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 0xff];
  const first = (isLast ? 0x80 : 0) | flags | opcode;
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), bytes]);
}

/** Resolves with all that comes, until it `isEnough` or the other side ends. */
export function receive(socket: Socket, isEnough: (all: Buffer) => boolean = () => false): Promise<Buffer> {
  return new Promise((resolve) => {
    let all = Buffer.alloc(0);
    const settle = () => {
      socket.off("data", onData).off("end", settle).off("close", settle);
      resolve(all);
    };
    const onData = (chunk: Buffer) => {
      all = Buffer.concat([all, chunk]);
      if (isEnough(all)) settle();
    };
    socket.on("data", onData).on("end", settle).on("close", settle);
  });
}

/** Passes bytes on both ways, and can cut all that it carries, as a network does. */
export async function startCutter(t: TestContext, url: string) {
  const target = parseAddress(url, "ws");
  const pairs = new Set<Socket>();
  let isOpen = true;
  const server = createServer((near) => {
    if (!isOpen) return void near.resetAndDestroy();
    const far = connectSocket(target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      pairs.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        pairs.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  const close = () => {
    for (const socket of pairs) socket.resetAndDestroy();
    server.close();
  };
  t.after(close);
  const port = await findFreePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `ws://127.0.0.1:${port}`,
    /** Resets every connection. */
    cut() {
      for (const socket of pairs) socket.resetAndDestroy();
    },
    /** Passes on nothing more of what is connected, as a machine that has stalled. */
    freeze() {
      for (const socket of pairs) socket.unpipe().resume();
    },
    /** Lets nobody in, until it is called again. */
    shut(isShut: boolean) {
      isOpen = !isShut;
    },
  };
}

/** Resolves when a socket is gone, however. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
  });
}

/** A port that was free a moment ago: for a client that comes before its server. */
export async function freeUrl(): Promise<string> {
  return `ws://127.0.0.1:${await findFreePort()}`;
}

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);

/** A program made for tests. */
export const fixture = (name: string): URL => new URL(`fixtures/${name}.ts`, import.meta.url);
