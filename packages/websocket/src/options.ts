import { checkDurations } from "@ipc/core/durations";
import type { HttpGuardOptions } from "@ipc/core/http-guard";
import type { ServerEvent } from "./events.ts";
import type { Handler, Peer } from "./peer.ts";

/** Options of `startServer()`. */
export interface ServerOptions extends HttpGuardOptions {
  /** What answers a message. @default {(message) => message} */
  handler?: Handler | undefined;
  /** Called when somebody has come, before their first message: for a server that speaks first. Not after a resume. */
  onConnect?: ((peer: Peer) => void) | undefined;
  /** The address to listen on; `0.0.0.0` opens it to the network. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** 0 takes a free one; `url` tells which. @default {0} */
  port?: number | undefined;
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxPayload?: number | undefined;
  /** Pieces that a message may come in. @default {64} */
  maxFragments?: number | undefined;
  /** More clients at once get 503. @default {10_000} */
  maxConnections?: number | undefined;
  /** A client for whom more than this waits is not read from until it has taken it. @default {1_048_576} */
  pauseAtBytes?: number | undefined;
  /** A client for whom more than this waits is dropped. @default {4_194_304} */
  maxBufferedBytes?: number | undefined;
  /** How often everybody is pinged, in ms; who has stalled is dropped within two of these. 0: never. @default {15_000} */
  heartbeatMs?: number | undefined;
  /** How long a session waits for its client to come back, in ms. @default {60_000} */
  resumeMs?: number | undefined;
  /** Sessions that wait at once; the oldest gives way. @default {1_000} */
  maxWaitingSessions?: number | undefined;
  /** Messages kept of each session for its client to catch up with. @default {1_000} */
  keepMessages?: number | undefined;
  /** The same in bytes of JSON. @default {1_048_576} */
  keepBytes?: number | undefined;
  /** Time for the headers of a request, in ms. @default {3_000} */
  headersTimeoutMs?: number | undefined;
  /** How long `close()` lets what is in flight finish, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ServerEvent) => void) | undefined;
}

/** Defaults of options left out. */
export const SERVER_DEFAULTS = {
  host: "127.0.0.1",
  port: 0,
  maxPayload: 1_048_576,
  maxFragments: 64,
  maxConnections: 10_000,
  pauseAtBytes: 1_048_576,
  maxBufferedBytes: 4_194_304,
  heartbeatMs: 15_000,
  resumeMs: 60_000,
  maxWaitingSessions: 1_000,
  keepMessages: 1_000,
  keepBytes: 1_048_576,
  headersTimeoutMs: 3_000,
  graceMs: 3_000,
} as const;

type Numbers = Exclude<keyof typeof SERVER_DEFAULTS, "host">;

/** All options of a server, checked. */
export type ServerSettings = ServerOptions & Record<Numbers, number> & { host: string };

/** @throws {RangeError} when a limit, a duration or `port` is out of range. */
export function readServerOptions(options: ServerOptions): ServerSettings {
  const settings = withDefaults(options, SERVER_DEFAULTS);
  const { heartbeatMs, resumeMs, headersTimeoutMs, graceMs } = settings;
  checkDurations({ heartbeatMs, resumeMs, headersTimeoutMs, graceMs });
  const { maxPayload, maxFragments, maxConnections, maxWaitingSessions } = settings;
  checkLimits({ maxPayload, maxFragments, maxConnections, maxWaitingSessions });
  const { maxBufferedBytes, pauseAtBytes, keepMessages, keepBytes } = settings;
  checkLimits({ maxBufferedBytes, pauseAtBytes, keepMessages, keepBytes });
  if (settings.host === "")
    throw new TypeError("Cannot listen on host '': that would be every address of this machine");
  return settings;
}

/** An option that is `undefined` is one that was left out. */
export function withDefaults<O extends object, D extends object>(
  options: O,
  defaults: D,
): O & { [K in keyof D]: Wide<D[K]> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as O & { [K in keyof D]: Wide<D[K]> };
}

type Wide<T> = T extends number ? number : T extends string ? string : T;

/** @throws {RangeError} for what is no whole number from 1 on. */
export function checkLimits(limits: Record<string, number>): void {
  for (const [name, value] of Object.entries(limits)) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new RangeError(`Cannot use ${name}: current value is ${value}, the least is 1`);
  }
}
