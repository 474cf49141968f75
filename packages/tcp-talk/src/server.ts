import type { Socket } from "node:net";
import {
  describeTcpEvent,
  startTcpServer,
  TCP_SERVER_DEFAULTS,
  type TcpServer,
  type TcpServerEvent,
  type TcpServerOptions,
} from "@ipc/core/tcp-server";
import { tell } from "@ipc/core/tell";
import { checkOpen, isToken, readFirstFrame, type TokenOptions } from "@ipc/core/token";
import { formatAddress } from "@ipc/core/url";
import { whenAborted } from "@ipc/core/when-aborted";
import { describeNews, type News } from "./hear.ts";
import { readLimits, TALK_DEFAULTS, type TalkOptions } from "./limits.ts";
import { BUSY, parseLine, WRONG_TOKEN } from "./protocol.ts";
import { createTalk, type Talk } from "./talk.ts";

/** Options of {@link startServer}. */
export interface ServerOptions extends TalkOptions, TokenOptions, Omit<TcpServerOptions, "onEvent"> {
  /** Talks with a caller. When it returns we say bye, unless that has been said; if it throws, the caller is let go. */
  handler: (talk: Talk) => Promise<void>;
  /**
   * More connections than this at once, those that are told "busy" among them, are closed as they come.
   * @default {100}
   */
  maxConnections?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ServerEvent) => void) | undefined;
}

/** What a server tells. `peer` is an address and port such as `127.0.0.1:54321`. */
export type ServerEvent =
  | Exclude<TcpServerEvent, { type: "closed" }>
  /** The talk is over; `bye` tells who said that, if anybody did. */
  | { type: "closed"; peer: string; bye: Talk["bye"] }
  /** Somebody called while a talk was on. Told at most once a second, as is a caller without the token: "dropped". */
  | { type: "busy"; peer: string }
  /** The caller has ended without bye; or sent, for the first time, what is no UTF-8. */
  | { type: News; peer: string };

/** Defaults of options left out. */
export const SERVER_DEFAULTS = { ...TCP_SERVER_DEFAULTS, ...TALK_DEFAULTS, maxConnections: 100 } as const;

/**
 * Waits for callers and talks with one at a time; others are told "busy" and let go. A caller who has ended without bye
 * holds the line only until somebody else calls.
 *
 * @returns The server, listening; `url` tells where. Its `close()` says bye to the caller.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen; `ERR_NO_TOKEN`.
 * @throws {RangeError} when a limit, a duration or `port` is out of range, or the token is none.
 */
export async function startServer(options: ServerOptions): Promise<TcpServer> {
  const { handler, host = SERVER_DEFAULTS.host, token, onEvent } = options;
  const { maxConnections = SERVER_DEFAULTS.maxConnections } = options;
  const limits = readLimits(options);
  checkOpen(host, options);
  let toldAt = Number.NEGATIVE_INFINITY;
  let line: { talk: Talk; over: Promise<void> } | undefined;

  async function converse(talk: Talk, peer: string, before: typeof line): Promise<void> {
    await before?.talk.close();
    await before?.over;
    tell(onEvent, { type: "connected", peer });
    try {
      await handler(talk);
      await talk.close();
      tell(onEvent, { type: "closed", peer, bye: talk.bye });
    } catch (error) {
      tell(onEvent, { type: "dropped", peer, error: error as Error });
    }
  }

  async function serve(socket: Socket, signal: AbortSignal): Promise<void> {
    const url = formatAddress("tcp", { host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 });
    const peer = url.slice("tcp://".length);
    if (token !== undefined) await admit(socket, token, signal);
    const before = line;
    if (before && !before.talk.bye && !before.talk.hasLeft) {
      tellSometimes({ type: "busy", peer });
      socket.write(`${BUSY}\n`);
      return;
    }
    const talk = createTalk(socket, { ...limits, url, isCaller: false }, (type) => tell(onEvent, { type, peer }));
    const forget = whenAborted(signal, () => void talk.close());
    line = { talk, over: converse(talk, peer, before) };
    await line.over;
    forget();
    if (line?.talk === talk) line = undefined;
  }

  /** Strangers may call as often as they like. */
  function tellSometimes(event: ServerEvent) {
    if (performance.now() - toldAt < 1_000) return;
    toldAt = performance.now();
    tell(onEvent, event);
  }

  // The rest is told here: a caller who is told "busy" has not connected to anybody.
  const onTcpEvent = (event: TcpServerEvent) => {
    if (event.type === "refused" || event.type === "failed") tell(onEvent, event);
    if (event.type === "dropped") tellSometimes(event);
  };
  return await startTcpServer({ ...options, maxConnections, onEvent: onTcpEvent }, serve);
}

/** Lets in whose first line is the token, before that has a line of ours. @throws {Error} why not; the caller knows. */
async function admit(socket: Socket, token: string, signal: AbortSignal): Promise<void> {
  try {
    if (isToken(parseLine(await readFirstFrame(socket, { signal })), token)) return;
    throw Object.assign(new Error("Cannot let caller in: wrong token"), { code: "ERR_WRONG_TOKEN" });
  } catch (error) {
    if (socket.writable) socket.write(`${WRONG_TOKEN}\n`);
    throw error;
  }
}

/** One line for a log. */
export function describeServerEvent(event: ServerEvent): string {
  switch (event.type) {
    case "busy":
      return `${event.peer} told "busy": a talk is on`;
    case "left":
    case "garbled":
      return describeNews(event.type, event.peer);
    case "closed":
      return event.bye === "heard" ? `${event.peer} said bye` : describeTcpEvent(event);
    default:
      return describeTcpEvent(event);
  }
}
