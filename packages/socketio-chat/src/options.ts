import { checkDurations } from "@ipc/core/durations";
import type { HttpGuardOptions } from "@ipc/core/http-guard";
import { DEFAULT_WAIT_MS } from "@ipc/core/retry";
import type { ServerEvent } from "./describe.ts";

/** Options of `startServer()`. */
export interface ServerOptions extends HttpGuardOptions {
  /** The address to listen on; `0.0.0.0` opens it to the network. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** 0 takes a free one; `url` tells which. @default {0} */
  port?: number | undefined;
  /** Where the history lives, and what joins several servers to one chat: `redis://127.0.0.1:6379`. @default {memory} */
  redisUrl?: string | undefined;
  /** How long to wait for Redis at the start, in ms; 0 tries once. @default {10_000} */
  waitMs?: number | undefined;
  /** Messages kept of each room. @default {500} */
  keepMessages?: number | undefined;
  /** More clients at once get 503. @default {10_000} */
  maxConnections?: number | undefined;
  /** What one client may send; twice that at once. One that sends on is dropped. @default {20} */
  maxEventsPerSecond?: number | undefined;
  /** How often clients are pinged, in ms; who has stalled is dropped within two of these. @default {10_000} */
  heartbeatMs?: number | undefined;
  /** How long a name is kept for who was cut off, in ms. @default {5_000} */
  awayMs?: number | undefined;
  /** How long `close()` lets what is in flight finish, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ServerEvent) => void) | undefined;
}

/** Defaults of options left out. */
export const SERVER_DEFAULTS = {
  host: "127.0.0.1",
  port: 0,
  waitMs: DEFAULT_WAIT_MS,
  keepMessages: 500,
  maxConnections: 10_000,
  maxEventsPerSecond: 20,
  heartbeatMs: 10_000,
  awayMs: 5_000,
  graceMs: 3_000,
} as const;

type Numbers = Exclude<keyof typeof SERVER_DEFAULTS, "host">;

/** All options of a server, checked. */
export type ServerSettings = ServerOptions & Record<Numbers, number> & { host: string };

/** @throws {RangeError} when a limit or a duration is out of range. */
export function readServerOptions(options: ServerOptions): ServerSettings {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const settings: ServerSettings = { ...SERVER_DEFAULTS, ...Object.fromEntries(given) };
  const { host, waitMs, heartbeatMs, awayMs, graceMs, keepMessages, maxConnections, maxEventsPerSecond } = settings;
  checkDurations({ waitMs, heartbeatMs, awayMs, graceMs });
  const limits = { heartbeatMs, keepMessages, maxConnections, maxEventsPerSecond };
  for (const [name, value] of Object.entries(limits)) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new RangeError(`Cannot use ${name}: current value is ${value}, the least is 1`);
  }
  if (host === "") throw new TypeError("Cannot listen on host '': that would be every address of this machine");
  return settings;
}
