import { once } from "node:events";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { TcpServer } from "@ipc/core/tcp-server";
import { until } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import { connect, type ServerEvent, type ServerOptions, startServer, type Talk } from "../src/index.ts";

/** A server for one test, what its callers said, and what it told. */
export async function serve(t: TestContext, options: Partial<ServerOptions> = {}) {
  const heard: string[] = [];
  const events: ServerEvent[] = [];
  const talks: Talk[] = [];
  const server: TcpServer = await startServer({
    async handler(talk) {
      talks.push(talk);
      for await (const line of talk) heard.push(line);
    },
    ...options,
    onEvent: (event) => events.push(event),
  });
  t.after(() => server.close());

  /** Resolves with the first event of a type, told already or still to come. */
  const told = <T extends ServerEvent["type"]>(type: T) =>
    until(() => events.find((event): event is Extract<ServerEvent, { type: T }> => event.type === type));
  return { server, url: server.url, heard, events, talks, told };
}

/** The two ends of one talk. */
export async function pair(t: TestContext, options: Partial<ServerOptions> = {}) {
  let accept = (_talk: Talk) => {};
  const accepted = new Promise<Talk>((resolve) => {
    accept = resolve;
  });
  const { url, events, told } = await serve(t, {
    async handler(talk) {
      accept(talk);
      await talk.closed;
    },
    ...options,
  });
  const { handler: _, host: __, port: ___, onEvent: ____, ...limits } = options;
  const caller = await connect(url, limits);
  t.after(() => caller.close());
  return { caller, listener: await accepted, events, told };
}

/** All that is said until it ends. */
export async function hearAll(talk: Talk): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of talk) lines.push(line);
  return lines;
}

/** A plain socket, for what our own client would never do. */
export async function dial(t: TestContext, url: string): Promise<Socket> {
  const socket = connectSocket({ ...parseAddress(url, "tcp"), noDelay: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Resolves with all that comes until the other side ends. */
export function receive(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    const settle = () => resolve(Buffer.concat(chunks).toString());
    socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    socket.on("end", settle).on("close", settle);
  });
}

/** A server that is not ours: it does with its sockets what the test says. */
export async function listen(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    onConnection(socket);
  }).listen(0, "127.0.0.1");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  const address = server.address();
  return `tcp://127.0.0.1:${typeof address === "object" && address?.port}`;
}

/** A port that was free a moment ago: for a client that comes before its server. */
export async function freeUrl(): Promise<string> {
  const server = await startServer({ handler: async () => {} });
  await server.close();
  return server.url;
}

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);
