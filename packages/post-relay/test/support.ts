import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { findFreePort } from "@ipc/core/services";
import { formatAddress, parseAddress } from "@ipc/core/url";
import {
  type Client,
  type ClientOptions,
  connect,
  type RecordedPost,
  type RelayEvent,
  type RelayOptions,
  readRecord,
  type SinkEvent,
  type SinkOptions,
  startRelay,
  startSink,
} from "../src/index.ts";

/** What callers of an open server must show. */
export const TOKEN = "correct-horse-battery";
/** What the sink behind a relay wants. */
export const SINK_TOKEN = "another-horse-battery";

/** What the original's client posts. */
export const EXAMPLE = { one: 1, two: 2 };

/** A path for a record, which is gone after the test. */
export async function recordFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "post-relay-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "posts.log");
}

/** A sink for one test, and what it told. */
export async function serveSink(t: TestContext, options: SinkOptions & { file?: string } = {}) {
  const file = options.file ?? (await recordFile(t));
  const { events, told, onEvent } = listen<SinkEvent>();
  const sink = await startSink(file, { ...options, onEvent });
  t.after(() => sink.close());
  return { sink, url: sink.url, file, events, told, posts: () => postsIn(file) };
}

/** A relay for one test, and what it told. */
export async function serveRelay(t: TestContext, sink: string, options: RelayOptions = {}) {
  const { events, told, onEvent } = listen<RelayEvent>();
  const relay = await startRelay(sink, { ...options, onEvent });
  t.after(() => relay.close());
  return { relay, url: relay.url, events, told };
}

/** A client for one test. */
export async function dial(t: TestContext, url: string, options: ClientOptions = {}): Promise<Client> {
  const client = await connect(url, options);
  t.after(() => client.close());
  return client;
}

function listen<E extends { type: string }>() {
  const events: E[] = [];
  const waiting = new Set<() => void>();
  function onEvent(event: E) {
    events.push(event);
    for (const look of [...waiting]) look();
  }
  /** Resolves with the first event of a type, told already or still to come. */
  function told<T extends E["type"]>(type: T): Promise<Extract<E, { type: T }>> {
    return new Promise((resolve) => {
      const look = () => {
        const event = events.find((one) => one.type === type);
        if (!event) return;
        waiting.delete(look);
        resolve(event as Extract<E, { type: T }>);
      };
      waiting.add(look);
      look();
    });
  }
  return { events, told, onEvent };
}

/** All posts in a record. */
export async function postsIn(file: string): Promise<RecordedPost[]> {
  const posts: RecordedPost[] = [];
  await readRecord(file, (post) => posts.push(post));
  return posts;
}

/** An HTTP server in the place of a sink: it does with posts what the test says. */
export async function serveHttp(
  t: TestContext,
  answer: (body: string, response: ServerResponse, request: IncomingMessage) => void,
): Promise<string> {
  const server = createHttpServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    answer(body, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address?.port}`;
}

/** A server below HTTP: it does with its sockets what the test says. */
export async function serveTcp(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address?.port}`;
}

/** A post as fetch sends it: without our client's repetitions. */
export async function postOnce(url: string, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
    redirect: "manual",
  });
  const answer = (response.status === 204 ? {} : await response.json()) as {
    detail?: string;
    done?: string;
    recorded?: string;
  };
  return { status: response.status, headers: response.headers, body: answer };
}

/** A plain connection, for what no client would do. */
export async function dialTcp(t: TestContext, url: string): Promise<Socket> {
  const socket = connectSocket({ ...parseAddress(url, "http"), noDelay: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

/** Sends bytes as they are; resolves with all that comes until the other side closes, or until `count` answers are there. */
export async function ask(t: TestContext, url: string, request: string, count = 1): Promise<string> {
  const socket = await dialTcp(t, url);
  socket.write(request, "latin1");
  const answers = await receive(socket, count);
  socket.destroy();
  return answers;
}

/** See {@link ask}. */
export function receive(socket: Socket, count = 1): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const settle = () => {
      socket.off("data", onData).off("close", settle);
      resolve(text);
    };
    const onData = (chunk: Uint8Array) => {
      text += Buffer.from(chunk).toString("latin1");
      if (answersIn(text) >= count) settle();
    };
    socket
      .on("data", onData)
      .on("end", () => socket.end())
      .on("close", settle);
  });
}

/** How many whole answers with a Content-Length there are in a text. */
function answersIn(text: string): number {
  let count = 0;
  for (let at = 0; ; count++) {
    const end = text.indexOf("\r\n\r\n", at);
    const length = /content-length: (\d+)/i.exec(text.slice(at, end))?.[1];
    if (end < 0 || length === undefined || text.length < end + 4 + Number(length)) return count;
    at = end + 4 + Number(length);
  }
}

/** The status of an answer: 400. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);

/** A request as it goes over the wire. */
export function wire(body: string, headers: Record<string, string> = {}): string {
  const all = {
    host: "127.0.0.1",
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `POST / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** A port that was free a moment ago: for a client that comes before its server. */
export async function freeUrl(): Promise<string> {
  return formatAddress("http", { host: "127.0.0.1", port: await findFreePort() });
}

/** The port of an URL. */
export const portOf = (url: string): number => parseAddress(url, "http").port;

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);
