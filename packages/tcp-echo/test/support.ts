import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { encodeFrame, lengthFraming } from "@ipc/core/framing";
import type { TcpServer, TcpServerEvent } from "@ipc/core/tcp-server";
import { parseAddress } from "@ipc/core/url";
import { type ServerOptions, startServer } from "../src/index.ts";

/** Text as a message. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A message as text. */
export const text = (message: Uint8Array): string => new TextDecoder().decode(message);

/** A message as it goes over the wire. */
export const frame = (message: Uint8Array | string): Uint8Array =>
  encodeFrame(lengthFraming, typeof message === "string" ? bytes(message) : message);

/** A server for one test, and what it told. */
export async function serve(t: TestContext, options: ServerOptions = {}) {
  const events: TcpServerEvent[] = [];
  const waiting = new Set<() => void>();
  const server: TcpServer = await startServer({
    ...options,
    onEvent(event) {
      events.push(event);
      for (const look of [...waiting]) look();
    },
  });
  t.after(() => server.close());

  /** Resolves with the first event of a type, told already or still to come. */
  function told<T extends TcpServerEvent["type"]>(type: T): Promise<Extract<TcpServerEvent, { type: T }>> {
    return new Promise((resolve) => {
      const look = () => {
        const event = events.find((one) => one.type === type);
        if (!event) return;
        waiting.delete(look);
        resolve(event as Extract<TcpServerEvent, { type: T }>);
      };
      waiting.add(look);
      look();
    });
  }
  return { server, url: server.url, events, told };
}

/** A plain socket, for what our own client would never do. */
export async function dial(t: TestContext, url: string): Promise<Socket> {
  const socket = connect({ ...parseAddress(url, "tcp"), noDelay: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** Resolves with all that comes until there are `count` bytes, or the other side ends. */
export function receive(socket: Socket, count = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let received = 0;
    const settle = () => {
      socket.off("data", onData).off("end", settle).off("close", settle);
      resolve(Buffer.concat(chunks));
    };
    const onData = (chunk: Uint8Array) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received >= count) settle();
    };
    socket.on("data", onData).on("end", settle).on("close", settle);
  });
}

/** A port that was free a moment ago: for a client that comes before its server. */
export async function freeUrl(): Promise<string> {
  const server = await startServer();
  await server.close();
  return server.url;
}

/** Random bytes, never an accident twice the same. */
export const noise = (length: number): Uint8Array => randomBytes(length);

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);
