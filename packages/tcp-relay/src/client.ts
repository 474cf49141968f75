import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { parseAddress } from "@ipc/core/url";
import { whenAborted } from "@ipc/core/when-aborted";
import { isDenial } from "./hello.ts";
import { createLink, type LinkEvent } from "./link.ts";
import { createOutbox, type Sender } from "./outbox.ts";
import { checkLimits, PEER_DEFAULTS, type PeerOptions } from "./peer-options.ts";

/**
 * Connects to a peer, to send only; waits for one that is not there yet.
 *
 * @param url Such as `tcp://127.0.0.1:9903`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {RangeError} when a limit, a duration or the name is out of range.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`; `ERR_WRONG_TOKEN` at once.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const { name = CLIENT_DEFAULTS.name, waitMs = CLIENT_DEFAULTS.waitMs, signal, onEvent, ...others } = options;
  const limits = checkLimits({ ...others, name });
  parseAddress(url, "tcp");
  checkDurations({ waitMs });
  signal?.throwIfAborted();

  let onFirst: ((event: LinkEvent) => void) | undefined;
  const link = createLink(url, limits, (event) => {
    tell(onEvent, event);
    onFirst?.(event);
  });
  const outbox = createOutbox(link, limits, onEvent);

  let closing: Promise<void> | undefined;
  async function closeAll() {
    await outbox.close(limits.graceMs);
    await link.close();
  }
  const close = () => (closing ??= closeAll());

  let failure: Error = new Error(`Cannot connect to ${url}: no peer answers there`);
  let giveUp = () => {};
  const contact = new Promise<void>((resolve, reject) => {
    giveUp = () => reject(signal?.aborted ? signal.reason : failure);
    onFirst = (event) => {
      if (event.type === "connected") resolve();
      if (event.type !== "waiting") return;
      failure = event.error;
      if (waitMs === 0 || isDenial(failure)) giveUp();
    };
  });
  const timer = waitMs > 0 ? setTimeout(giveUp, waitMs) : undefined;
  const forget = signal && whenAborted(signal, giveUp);
  try {
    await contact;
  } catch (error) {
    await close();
    throw error;
  } finally {
    onFirst = undefined;
    clearTimeout(timer);
    forget?.();
  }
  return { url, send: outbox.send, close, [Symbol.asyncDispose]: close };
}

/** Options of {@link connect}; those it shares with a peer mean the same. */
export interface ClientOptions
  extends Pick<PeerOptions, "token" | "maxFrameBytes" | "windowBytes" | "heartbeatMs" | "graceMs"> {
  /** The origin of what it sends. @default {"client"} */
  name?: string | undefined;
  /** How long to wait for a peer that is not there yet, in ms; 0 tries once. @default {10_000} */
  waitMs?: number | undefined;
  /** Ends the waiting in `connect()`. */
  signal?: AbortSignal | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: LinkEvent) => void) | undefined;
}

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = {
  name: "client",
  maxFrameBytes: PEER_DEFAULTS.maxFrameBytes,
  windowBytes: PEER_DEFAULTS.windowBytes,
  waitMs: DEFAULT_WAIT_MS,
  heartbeatMs: PEER_DEFAULTS.heartbeatMs,
  graceMs: PEER_DEFAULTS.graceMs,
} as const;

/** Somebody who only sends. */
export interface Client extends Sender {
  readonly url: string;
  /** Lets answers come, within `graceMs`, and disconnects. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
