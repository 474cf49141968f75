import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { parseAddress } from "@ipc/core/url";
import { whenAborted } from "@ipc/core/when-aborted";
import { createLink, type LinkEvent } from "./link.ts";
import { createOutbox, type SendOptions } from "./outbox.ts";
import { checkLink, PEER_DEFAULTS } from "./peer-options.ts";

/**
 * Connects to a peer, to send only; waits for one that is not there yet.
 *
 * @param url Such as `tcp://127.0.0.1:9903`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {RangeError} when a limit, a duration or the name is out of range.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const { name = CLIENT_DEFAULTS.name, maxFrameBytes = CLIENT_DEFAULTS.maxFrameBytes } = options;
  const { windowBytes = CLIENT_DEFAULTS.windowBytes, heartbeatMs = CLIENT_DEFAULTS.heartbeatMs } = options;
  const { waitMs = CLIENT_DEFAULTS.waitMs, graceMs = CLIENT_DEFAULTS.graceMs, signal, onEvent } = options;
  parseAddress(url, "tcp");
  checkDurations({ waitMs });
  checkLink({ maxFrameBytes, windowBytes, heartbeatMs, graceMs });

  signal?.throwIfAborted();

  let onFirst: ((event: LinkEvent) => void) | undefined;
  const link = createLink(url, {
    heartbeatMs,
    onEvent(event) {
      tell(onEvent, event);
      onFirst?.(event);
    },
  });
  const outbox = createOutbox(link, { name, windowBytes, maxFrameBytes, onEvent });

  /** Resolves when a peer has said that it is one. */
  async function firstContact() {
    let failure: Error = new Error(`Cannot connect to ${url}: no peer answers there`);
    let giveUp = (_reason: unknown) => {};
    const contact = new Promise<void>((resolve, reject) => {
      giveUp = reject;
      onFirst = (event) => {
        if (event.type === "connected") resolve();
        if (event.type === "waiting") failure = event.error;
        if (event.type === "waiting" && waitMs === 0) reject(failure);
      };
    });
    const timer = waitMs > 0 ? setTimeout(() => giveUp(failure), waitMs) : undefined;
    const forget = signal && whenAborted(signal, () => giveUp(signal.reason));
    await contact.finally(() => {
      onFirst = undefined;
      clearTimeout(timer);
      forget?.();
    });
  }

  let closing: Promise<void> | undefined;
  async function closeAll() {
    await outbox.close(graceMs);
    await link.close();
  }
  const close = () => {
    closing ??= closeAll();
    return closing;
  };

  await firstContact().catch(async (error) => {
    await close();
    throw error;
  });
  return { url, send: outbox.send, close, [Symbol.asyncDispose]: close };
}

/** Options of {@link connect}. */
export interface ClientOptions {
  /** The origin of what it sends. @default {"client"} */
  name?: string | undefined;
  /** The longest message in bytes, all of its JSON. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /**
   * What may be on its way without an answer, in bytes: a message counts as its frame and 512. Sixteen times as much
   * waits in line.
   * @default {1_048_576}
   */
  windowBytes?: number | undefined;
  /** How long to wait for a peer that is not there yet, in ms; 0 tries once. @default {10_000} */
  waitMs?: number | undefined;
  /**
   * How often both ends say that they are here, in ms; who says nothing for two of these times is cut off.
   * @default {1_000}
   */
  heartbeatMs?: number | undefined;
  /** How long `close()` waits for answers, in ms. @default {3_000} */
  graceMs?: number | undefined;
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
export interface Client {
  readonly url: string;
  /**
   * Sends a message down the line. After a cut it is sent again, for as long as it takes.
   *
   * @param body Any JSON.
   * @returns Resolves when it has been delivered, by the last peer of the line.
   * @throws {Error} `ERR_REFUSED` nobody takes it, and why · `ENOBUFS` too much waits in line · `EPIPE` the client is
   *   closed.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE`: nothing was sent.
   */
  send(body: unknown, options?: SendOptions): Promise<void>;
  /** Lets answers come, within `graceMs`, and disconnects. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
