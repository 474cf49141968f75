import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { connectTcp } from "@ipc/core/sockets";
import { tell } from "@ipc/core/tell";
import { checkToken } from "@ipc/core/token";
import { describeNews, type News } from "./hear.ts";
import { readLimits, TALK_DEFAULTS, type TalkOptions } from "./limits.ts";
import { createTalk, type Talk } from "./talk.ts";

/** Options of {@link connect}. */
export interface ClientOptions extends TalkOptions {
  /** How long to wait for a server that is not there yet, in ms; 0 tries once, for at most 3 s. @default {10_000} */
  waitMs?: number | undefined;
  /** What a listener that is open to a network wants to hear first; one that wants none takes it as a line. */
  token?: string | undefined;
  /** Ends the waiting in `connect()`. */
  signal?: AbortSignal | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** What a client tells. */
export type ClientEvent =
  /** Nobody is there yet; said once. */
  | { type: "waiting"; url: string; error: Error }
  | { type: "connected"; url: string }
  /** The other side has ended without bye, before us; or sent, for the first time, what is no UTF-8. */
  | { type: News; url: string };

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = { ...TALK_DEFAULTS, waitMs: DEFAULT_WAIT_MS } as const;

/**
 * Calls somebody who listens; waits for one who is not there yet. That a talk is on there already, or the token is
 * wrong, is told by the first loop over the lines: `EBUSY`, `ERR_WRONG_TOKEN`. A talk that broke is over: call again.
 *
 * @param url Such as `tcp://127.0.0.1:5000`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {RangeError} when a limit or a duration is out of range, or the token is none.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Talk> {
  const { waitMs = CLIENT_DEFAULTS.waitMs, token, signal, onEvent } = options;
  const limits = readLimits(options);
  checkDurations({ waitMs });
  checkToken(token);
  const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
  const socket = await connectTcp(url, { waitMs, signal, onWaiting });
  if (token !== undefined) socket.write(`${token}\n`);
  const talk = createTalk(socket, { ...limits, url, isCaller: true }, (type) => tell(onEvent, { type, url }));
  tell(onEvent, { type: "connected", url });
  return talk;
}

/** One line for a log. */
export function describeClientEvent(event: ClientEvent): string {
  switch (event.type) {
    case "waiting":
      return `waiting for ${event.url}`;
    case "connected":
      return `connected to ${event.url}`;
    default:
      return describeNews(event.type, event.url);
  }
}
