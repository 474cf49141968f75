import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { encodeFrame, lengthFraming } from "@ipc/core/framing";
import { toSocketPath } from "@ipc/core/socket-path";
import { parsePath } from "@ipc/core/url";
import { type ServerOptions, type SocketServer, type SocketServerEvent, startServer } from "../src/index.ts";

/** Text as a message. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A message as text. */
export const text = (message: Uint8Array): string => new TextDecoder().decode(message);

/** A message as it goes over the wire. */
export const frame = (message: Uint8Array | string): Uint8Array =>
  encodeFrame(lengthFraming, typeof message === "string" ? bytes(message) : message);

/** A folder for one test. */
export async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ipc-pipes-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A URL where nobody listens yet. */
export async function freeUrl(t: TestContext): Promise<string> {
  return `unix:${await makeFolder(t)}/echo.sock`;
}

/** A server for one test, and what it told. */
export async function serve(t: TestContext, options: Partial<ServerOptions> = {}) {
  const events: SocketServerEvent[] = [];
  const waiting = new Set<() => void>();
  const server: SocketServer = await startServer({
    url: await freeUrl(t),
    ...options,
    onEvent(event) {
      events.push(event);
      for (const look of [...waiting]) look();
    },
  });
  t.after(() => server.close());

  /** Resolves with the first event of a type, told already or still to come. */
  function told<T extends SocketServerEvent["type"]>(type: T): Promise<Extract<SocketServerEvent, { type: T }>> {
    return new Promise((resolve) => {
      const look = () => {
        const event = events.find((one) => one.type === type);
        if (!event) return;
        waiting.delete(look);
        resolve(event as Extract<SocketServerEvent, { type: T }>);
      };
      waiting.add(look);
      look();
    });
  }
  return { server, url: server.url, events, told };
}

/** A plain socket, for what our own client would never do. */
export async function dial(t: TestContext, url: string): Promise<Socket> {
  const socket = connect(toSocketPath(parsePath(url, "unix")));
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
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

/** Random bytes, never an accident twice the same. */
export const noise = (length: number): Uint8Array => randomBytes(length);

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);

/** The command that runs a TypeScript program as a child. */
export const command = (file: URL, ...args: string[]): [string, ...string[]] => [
  process.execPath,
  ...process.execArgv,
  fileURLToPath(file),
  ...args,
];

/** Whether a process is there; one that has ended and that nobody has asked about yet is not. */
export function isAlive(pid: number): boolean {
  try {
    if (process.platform === "linux") return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
