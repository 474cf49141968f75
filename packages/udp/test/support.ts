import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { parseAddress } from "@ipc/core/url";
import {
  type Message,
  type ReceiverEvent,
  type ReceiverOptions,
  type ServerEvent,
  type ServerOptions,
  startReceiver,
  startServer,
} from "../src/index.ts";

/** Text as a message. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A message as text. */
export const text = (message: Uint8Array): string => new TextDecoder().decode(message);

/** A receiver for one test: what it told, and what came. */
export async function receive(t: TestContext, options: ReceiverOptions = {}) {
  const events: ReceiverEvent[] = [];
  const messages: Message[] = [];
  const receiver = await startReceiver({ ...options, onEvent: (event) => events.push(event) });
  t.after(() => receiver.close());
  const finished = (async () => {
    for await (const message of receiver) messages.push(message);
  })();
  const texts = () => messages.map(({ message }) => text(message));
  return { receiver, url: receiver.url, events, messages, texts, finished };
}

/** A server of the reliable layer for one test, and what it told. */
export async function serve(t: TestContext, options: ServerOptions = {}) {
  const events: ServerEvent[] = [];
  const server = await startServer({ ...options, onEvent: (event) => events.push(event) });
  t.after(() => server.close());
  return { server, url: server.url, events };
}

/** A plain socket, for what our own sender would never do. */
export async function dial(t: TestContext, url: string): Promise<Socket> {
  const { host, port } = parseAddress(url, "udp");
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  socket.on("error", () => {});
  t.after(() => socket.close());
  socket.connect(port, host);
  await once(socket, "connect");
  return socket;
}

/** A plain socket that listens and does with datagrams what the test says. */
export async function listen(t: TestContext, onDatagram: (socket: Socket, datagram: Buffer, from: RemoteInfo) => void) {
  const socket = createSocket("udp4");
  socket.on("message", (datagram, from) => onDatagram(socket, datagram, from));
  t.after(() => socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { socket, url: `udp://127.0.0.1:${socket.address().port}` };
}

/** A port that was free a moment ago: for a sender that comes before its receiver. */
export async function freeUrl(): Promise<string> {
  const receiver = await startReceiver();
  await receiver.close();
  return receiver.url;
}

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);
