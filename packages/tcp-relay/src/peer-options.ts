import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_MAX_FRAME_BYTES, lengthFraming } from "@ipc/core/framing";
import { TCP_SERVER_DEFAULTS, type TcpServer, type TcpServerOptions } from "@ipc/core/tcp-server";
import { checkOpen, type TokenOptions } from "@ipc/core/token";
import { parseAddress } from "@ipc/core/url";
import type { Sender } from "./outbox.ts";
import type { PeerEvent } from "./peer-events.ts";
import { checkWord, MAX_HOPS, type Message } from "./protocol.ts";

/**
 * What a peer does with a message that is delivered to it. The message is answered when this resolves; messages do not
 * wait for each other. If it throws, the message is refused, and its origin is told the error's text: up to 200
 * characters, what is not ASCII as `?`.
 */
export type Deliver = (message: Message) => void | Promise<void>;

/** Options of {@link startPeer}. */
export interface PeerOptions extends TokenOptions, Omit<TcpServerOptions, "onEvent"> {
  /** By which others know whose a message is: 1 to 64 letters, digits, `.`, `_`, `:` and `-`. @default {"a"} */
  name?: string | undefined;
  /**
   * Where the next peer listens; a promise where that is not known yet. When it rejects, or resolves with no address,
   * messages wait for ever, which is told as "waiting". Without it, all messages end here. It is shown our `token`.
   */
  next?: string | Promise<string> | undefined;
  /** What takes a message that ends here. @default {() => {}} */
  onMessage?: Deliver | undefined;
  /** A file that keeps the ids of what was delivered, so that a restart delivers nothing twice. */
  logFile?: string | undefined;
  /** The longest message in bytes, all of its JSON. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /**
   * What of our own may be on its way without an answer, in bytes: a message counts as its frame and 512. Sixteen
   * times as much waits in line, and in the queue of what is passed on. The same at all peers of a ring.
   * @default {1_048_576}
   */
  windowBytes?: number | undefined;
  /** How many delivered ids are remembered, at least; at most twice as many. @default {100_000} */
  maxIds?: number | undefined;
  /**
   * How often a connection's ends say that they are here, in ms; who says nothing for two of these times is cut off.
   * @default {1_000}
   */
  heartbeatMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: PeerEvent) => void) | undefined;
}

/** Defaults of options left out. */
export const PEER_DEFAULTS = {
  ...TCP_SERVER_DEFAULTS,
  name: "a",
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  windowBytes: 1_048_576,
  // A double comes at most a window (about 1,500 messages an origin) after the first.
  maxIds: 100_000,
  heartbeatMs: 1_000,
} as const;

/** What bounds a peer or a client. */
export type Limits = ReturnType<typeof checkLimits>;

/**
 * Fills in what was left out.
 *
 * @throws {RangeError | TypeError} for what makes no sense: now, not when the first message comes.
 * @throws {Error} `ERR_NO_TOKEN`.
 */
export function checkLimits(options: PeerOptions) {
  const { name = PEER_DEFAULTS.name, maxIds = PEER_DEFAULTS.maxIds } = options;
  const { maxFrameBytes = PEER_DEFAULTS.maxFrameBytes, windowBytes = PEER_DEFAULTS.windowBytes } = options;
  const { heartbeatMs = PEER_DEFAULTS.heartbeatMs, graceMs = PEER_DEFAULTS.graceMs } = options;
  const { host = PEER_DEFAULTS.host, next, token } = options;
  checkOpen(host, options);
  if (typeof next === "string") parseAddress(next, "tcp");
  checkWord("name", name);
  checkDurations({ heartbeatMs, graceMs });
  lengthFraming.createDecoder({ maxFrameBytes });
  for (const [what, value] of Object.entries({ heartbeatMs, windowBytes, maxIds })) {
    if (value >= 1 && value <= Number.MAX_SAFE_INTEGER / MAX_HOPS) continue;
    throw new RangeError(`Cannot use ${what}: current value is ${value}, the least is 1`);
  }
  return { name, token, maxIds, maxFrameBytes, windowBytes, heartbeatMs, graceMs };
}

/** A server and a client with a queue between them. Without a `next`, `send()` rejects with `ENOTCONN`. */
export interface Peer extends TcpServer, Sender {}
