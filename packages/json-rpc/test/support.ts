import { connect as connectSocket, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { parseAddress } from "@ipc/core/url";
import { request } from "undici";
import {
  type Client,
  type ClientOptions,
  connect,
  type Server,
  type ServerEvent,
  type ServerOptions,
  startServer,
} from "../src/index.ts";

/** A server for one test, and what it told. */
export async function serve(t: TestContext, options: ServerOptions = {}) {
  const events: ServerEvent[] = [];
  const waiting = new Set<() => void>();
  const server: Server = await startServer({
    ...options,
    onEvent(event) {
      events.push(event);
      for (const look of [...waiting]) look();
    },
  });
  t.after(() => server.close());

  /** Resolves with the first event of a type, told already or still to come. */
  function told<T extends ServerEvent["type"]>(type: T): Promise<Extract<ServerEvent, { type: T }>> {
    return new Promise((resolve) => {
      const look = () => {
        const event = events.find((one) => one.type === type);
        if (!event) return;
        waiting.delete(look);
        resolve(event as Extract<ServerEvent, { type: T }>);
      };
      waiting.add(look);
      look();
    });
  }
  const [http, tcp] = server.urls;
  return { server, http, tcp, events, told };
}

/** A client for one test. */
export async function open(t: TestContext, url: string, options: ClientOptions = {}): Promise<Client> {
  const client = await connect(url, options);
  t.after(() => client.close());
  return client;
}

/** Sends a text as a message over HTTP, with nothing of ours in between. Gives the status and what came back. */
export async function post(
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string> = { "content-type": "application/json" },
) {
  const response = await request(url, { method: "POST", headers, body });
  const text = await response.body.text();
  return { status: response.statusCode, headers: response.headers, text };
}

/** Sends lines over TCP with nothing of ours in between, ends its side, and gives the lines that come back. */
export async function sendLines(t: TestContext, url: string, ...lines: (string | Uint8Array)[]): Promise<string[]> {
  const socket = await dial(t, url);
  const received = receive(socket);
  for (const line of lines) {
    socket.write(line);
    socket.write("\n");
  }
  socket.end();
  return String(await received)
    .split("\n")
    .slice(0, -1);
}

/** A plain socket, for what our own client would never do. */
export async function dial(t: TestContext, url: string): Promise<Socket> {
  const socket = connectSocket({ ...parseAddress(url, new URL(url).protocol.slice(0, -1)), noDelay: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** Resolves with all that comes until the other side ends. */
export function receive(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const settle = () => resolve(Buffer.concat(chunks));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.once("end", settle).once("close", settle);
  });
}

/** A server of the test's own: `onLine` gets what a client sends, and the socket to answer on. Gives its URL. */
export async function listen(
  t: TestContext,
  onConnection: (socket: Socket, number: number) => void,
  protocol: "tcp" | "http" = "tcp",
): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    sockets.add(socket);
    onConnection(socket, sockets.size);
  }).listen(0, "127.0.0.1");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  return `${protocol}://127.0.0.1:${typeof address === "object" && address?.port}`;
}

/** A server that answers each line with what `answer` makes of it; nothing where that is undefined. */
export function listenLines(t: TestContext, answer: (request: Call, socket: Socket) => string | undefined) {
  return listen(t, (socket) => {
    let rest = "";
    socket.setEncoding("utf8").on("data", (chunk) => {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      const answers = lines.map((line) => answer(JSON.parse(line), socket)).filter((text) => text !== undefined);
      if (answers.length > 0) socket.write(answers.map((text) => `${text}\n`).join(""));
    });
  });
}

/** What a client sends. */
export interface Call {
  id: number;
  method: string;
  params: unknown[];
}

/** URLs where nobody listens, that were free a moment ago. */
export async function freeUrls(): Promise<readonly [http: string, tcp: string]> {
  const server = await startServer();
  await server.close();
  return server.urls;
}

/** The port of a URL. */
export const portOf = (url: string): number => Number(new URL(url).port);

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);

/** A program that only tests need. */
export const fixture = (name: string): URL => new URL(`fixtures/${name}.ts`, import.meta.url);
