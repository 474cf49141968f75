import { checkDurations } from "@ipc/core/durations";
import {
  createRequester,
  linkSocket,
  REQUESTER_DEFAULTS,
  type Requester,
  type RequesterOptions,
} from "@ipc/core/requests";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { connectTcp } from "@ipc/core/sockets";
import { tell } from "@ipc/core/tell";
import { FRAMINGS, type FramingName } from "./framings.ts";

/** Options of {@link connect}. */
export interface ClientOptions extends RequesterOptions {
  /** How messages are kept apart; the server's. @default {"length"} */
  framing?: FramingName | undefined;
  /** How long to wait for a server that is not there yet, in ms; 0 tries once, for at most 3 s. @default {10_000} */
  waitMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** What a client tells. */
export type ClientEvent =
  /** Nobody is there yet; said once a wait. */
  | { type: "waiting"; url: string; error: Error }
  | { type: "connected"; url: string }
  | { type: "disconnected"; url: string; error: Error };

/** A connection to an echo server that reconnects by itself. */
export interface Client extends Requester {
  readonly url: string;
}

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = { ...REQUESTER_DEFAULTS, framing: "length", waitMs: DEFAULT_WAIT_MS } as const;

/**
 * Connects to an echo server; waits for one that is not there yet.
 *
 * @param url Such as `tcp://127.0.0.1:65432`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const { framing = CLIENT_DEFAULTS.framing, waitMs = CLIENT_DEFAULTS.waitMs, onEvent } = options;
  checkDurations({ waitMs });

  async function open(signal: AbortSignal) {
    const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
    const link = linkSocket(await connectTcp(url, { waitMs, signal, onWaiting }));
    void link.ended.then((error) => tell(onEvent, { type: "disconnected", url, error }));
    tell(onEvent, { type: "connected", url });
    return link;
  }
  const requester = await createRequester({ name: url, framing: FRAMINGS[framing], open }, options);
  return { url, ...requester };
}
