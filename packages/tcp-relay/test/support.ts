import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { encodeFrame, lengthFraming } from "@ipc/core/framing";
import { signalled } from "@ipc/core/testing";
import { parseAddress } from "@ipc/core/url";
import {
  type ClientOptions,
  connect,
  type Message,
  type PeerEvent,
  type PeerOptions,
  startPeer,
} from "../src/index.ts";
import { parseReply, type Reply } from "../src/protocol.ts";

/** A peer for one test, what was delivered to it and what it told. */
export async function serve(t: TestContext, options: PeerOptions = {}) {
  const events: PeerEvent[] = [];
  const received: Message[] = [];
  const waiting = new Set<() => void>();
  const peer = await startPeer({
    ...options,
    async onMessage(message) {
      await options.onMessage?.(message);
      received.push(message);
      for (const look of [...waiting]) look();
    },
    onEvent(event) {
      events.push(event);
      for (const look of [...waiting]) look();
    },
  });
  t.after(() => peer.close());

  /** Resolves with what `find` gives, now or when something was told or delivered. */
  function until<T>(find: () => T | undefined | false): Promise<T> {
    return new Promise((resolve) => {
      const look = () => {
        const found = find();
        if (found === undefined || found === false) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  }
  /** Resolves with the first event of a type, told already or still to come. */
  const told = <T extends PeerEvent["type"]>(type: T) =>
    until(() => events.find((event): event is Extract<PeerEvent, { type: T }> => event.type === type));
  const count = (type: PeerEvent["type"]) => events.filter((event) => event.type === type).length;
  return { peer, url: peer.url, events, received, told, until, count };
}

/** A line: a driver, a relay, a final peer. */
export async function startLine(
  t: TestContext,
  { final: finalOptions, relay: relayOptions, client: clientOptions }: Record<string, PeerOptions & ClientOptions> = {},
) {
  const final = await serve(t, { name: "final", ...finalOptions });
  const relay = await serve(t, { name: "relay", next: final.url, ...relayOptions });
  const client = await connect(relay.url, { name: "driver", ...clientOptions });
  t.after(() => client.close());
  return { final, relay, client };
}

/** A ring: each peer's next is the one behind it, the last one's the first. */
export async function startRing(t: TestContext, names: readonly string[], options: PeerOptions = {}) {
  const { promise: firstUrl, resolve: setFirstUrl } = signalled<string>();
  const peers: Awaited<ReturnType<typeof serve>>[] = [];
  let next: string | Promise<string> = firstUrl;
  for (const name of names) {
    const one = await serve(t, { ...options, name, next });
    peers.push(one);
    next = one.url;
  }
  setFirstUrl(typeof next === "string" ? next : "");
  return peers;
}

/** A JSON value, or text, as it goes over the wire. */
export const frame = (value: unknown): Uint8Array =>
  encodeFrame(lengthFraming, new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)));

/** A message as somebody writes it by hand. */
export const message = (id: string, body: unknown = id, more: object = {}) => ({
  hops: 1,
  origin: "hand",
  id,
  body,
  ...more,
});

/** A plain socket and the answers it gets, for what our own client would never do. */
export async function dial(t: TestContext, url: string) {
  const socket: Socket = connectSocket({ ...parseAddress(url, "tcp"), noDelay: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  /** What became of each message, by its number less one: "accepted", or why it was refused. */
  const answers: string[] = [];
  const decoder = lengthFraming.createDecoder();
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of [...waiting]) look();
  };
  socket.on("data", (chunk: Uint8Array) => {
    for (const one of decoder.decode(chunk)) if (one.length > 0) note(parseReply(one));
    wake();
  });
  function note(reply: Reply) {
    if ("refused" in reply) answers[reply.refused - 1] = reply.reason;
    else for (let number = reply.accepted[0]; number <= reply.accepted[1]; number++) answers[number - 1] = "accepted";
  }
  socket.on("end", wake).on("close", wake);
  const closed = new Promise<void>((resolve) => {
    socket.once("end", () => resolve()).once("close", () => resolve());
  });
  /** Resolves with the answers when so many messages have one, or the other side has ended. */
  async function answered(count: number): Promise<string[]> {
    await new Promise<void>((resolve) => {
      const look = () => {
        if (Object.keys(answers).length < count && !socket.readableEnded && !socket.destroyed) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
    return answers;
  }
  return { socket, answers, answered, closed };
}

/** Writes until the other side takes no more for a second; returns how many bytes it took. */
export async function pushUntilStuck(socket: Socket, mostBytes: number, next: () => Uint8Array): Promise<number> {
  let taken = 0;
  while (taken < mostBytes) {
    const piece = next();
    // Not `writableLength`: a long queue is one write to the system, of which nothing is known until all is gone.
    const isTaken = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), 1_000);
      socket.write(piece, () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    if (!isTaken) break;
    taken += piece.length;
  }
  return taken;
}

/** Somebody else than our peer: says that it is one, and does with its sockets what the test says. */
export async function impostor(t: TestContext, onConnection: (socket: Socket, number: number) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    onConnection(socket, sockets.push(socket));
  }).listen(0, "127.0.0.1");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  const address = server.address();
  return { url: `tcp://127.0.0.1:${typeof address === "object" && address?.port}`, sockets };
}

/** What a peer says first. */
export const HELLO = new Uint8Array(4);

/**
 * A port that was free a moment ago, and is none that the system gives to others meanwhile: for a peer that comes
 * later.
 */
export async function freeUrl(): Promise<string> {
  const port = 20_000 + Math.floor(Math.random() * 12_000);
  const peer = await startPeer({ port }).catch(() => undefined);
  await peer?.close();
  return peer?.url ?? freeUrl();
}

/** The port of an address. */
export const portOf = (url: string): number => parseAddress(url, "tcp").port;

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);

/** A folder that goes when the test does. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tcp-relay-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The ids of a delivery log, in order. */
export async function readIds(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8");
  return text.split("\n").flatMap((line) => line.split(" ", 1)[0] || []);
}

/** Numbers in a row, as texts. */
export const range = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `${from + index}`);
