import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import type { ClientEvent } from "./events.ts";
import { checkLimits, withDefaults } from "./options.ts";
import { type Protocol, SESSION } from "./protocol.ts";

/** Options of `connect()`. */
export interface ClientOptions {
  /** @default {"ipc.session.v1"} */
  protocol?: Protocol | undefined;
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxPayload?: number | undefined;
  /** Pieces that a message may come in. @default {64} */
  maxFragments?: number | undefined;
  /** What may wait to be sent; and what may wait to be taken before the server is read from no more. @default {4_194_304} */
  maxBufferedBytes?: number | undefined;
  /** How often the server is pinged, in ms; one that has stalled is noticed within two of these. 0: never. @default {15_000} */
  heartbeatMs?: number | undefined;
  /** In a session: messages kept until the server has said that they are there. @default {1_000} */
  keepMessages?: number | undefined;
  /** The same in bytes of JSON. @default {4_194_304} */
  keepBytes?: number | undefined;
  /** How long to wait for a server that is not there, at first and after a cut, in ms; 0 tries once. @default {10_000} */
  waitMs?: number | undefined;
  /** After a cut: how often it tries to come back, in ms, at first at a moment drawn by chance within that. @default {4_000} */
  reconnectMs?: number | undefined;
  /** How long one try may take, in ms. @default {3_000} */
  connectTimeoutMs?: number | undefined;
  /** How long `close()` waits for the server, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** Ends the waiting in `connect()`. */
  signal?: AbortSignal | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = {
  protocol: SESSION,
  maxPayload: 1_048_576,
  maxFragments: 64,
  maxBufferedBytes: 4_194_304,
  heartbeatMs: 15_000,
  keepMessages: 1_000,
  keepBytes: 4_194_304,
  waitMs: DEFAULT_WAIT_MS,
  reconnectMs: 4_000,
  connectTimeoutMs: 3_000,
  graceMs: 3_000,
} as const;

/** All options of a client, checked. */
export type ClientSettings = ReturnType<typeof readClientOptions>;

/**
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {RangeError} when a limit or a duration is out of range.
 */
export function readClientOptions(url: string, options: ClientOptions) {
  if (!URL.canParse(url) || !/^wss?:\/\//i.test(url)) {
    const text = `Cannot use address '${url}': it is no URL such as ws://127.0.0.1:1234`;
    throw Object.assign(new TypeError(text), { code: "ERR_INVALID_URL", input: url });
  }
  const settings = {
    ...withDefaults(options, CLIENT_DEFAULTS),
    protocol: options.protocol ?? CLIENT_DEFAULTS.protocol,
  };
  const { waitMs, reconnectMs, connectTimeoutMs, heartbeatMs, graceMs } = settings;
  checkDurations({ waitMs, reconnectMs, connectTimeoutMs, heartbeatMs, graceMs });
  const { maxPayload, maxFragments, maxBufferedBytes, keepMessages, keepBytes } = settings;
  checkLimits({ maxPayload, maxFragments, maxBufferedBytes, keepMessages, keepBytes });
  return settings;
}
