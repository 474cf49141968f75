import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { findFreePort } from "@ipc/core/services";
import { parseAddress } from "@ipc/core/url";
import type { BookDraft, ServerEvent, ServerOptions } from "../src/index.ts";
import { startServer } from "../src/index.ts";

/** What callers of an open server must show. */
export const TOKEN = "correct-horse-battery";

/** A book that nobody has written. */
export const draft = (title: string): BookDraft => ({ title, author: "Nobody", year: 2001, status: "to read" });

/** The URL of a database in a folder of its own, removed with the test. */
export async function temporaryDatabase(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "rest-api-test-"));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return `file:${folder}/books.db`;
}

/** A server for one test, and what it told. */
export async function serve(t: TestContext, options: ServerOptions = {}) {
  const events: ServerEvent[] = [];
  const server = await startServer({
    firstBooks: [],
    rateLimit: 0,
    pollMs: 20,
    // A browser's spare connection, on which nothing was ever asked, is open until then.
    graceMs: 200,
    ...options,
    database: options.database ?? (await temporaryDatabase(t)),
    onEvent: (event) => events.push(event),
  });
  t.after(() => server.close());
  return { server, url: server.url, events };
}

/** What a test looks at of an answer. */
export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for.
  body: any;
}

/** Asks with `fetch`: independent of our own client. */
export async function ask(
  url: string,
  { method = "GET", body, headers = {} }: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  const response = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { "content-type": type }), ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  return { status: response.status, headers: response.headers, body: isJson && text !== "" ? JSON.parse(text) : text };
}

/** A plain socket, for what no client would do. */
export async function dial(t: TestContext, url: string): Promise<Socket> {
  const socket = createConnection({ ...parseAddress(url, "http"), noDelay: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Sends bytes as they are and resolves with all that comes until the server closes. */
export async function sendRaw(t: TestContext, url: string, bytes: string): Promise<string> {
  const socket = await dial(t, url);
  socket.write(bytes, "latin1");
  return await readText(socket).catch(() => "");
}

/** The status of a raw answer. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);

/** A URL where nobody listens: for a client that comes before its server. */
export const freeUrl = async (): Promise<string> => `http://127.0.0.1:${await findFreePort()}`;

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);
