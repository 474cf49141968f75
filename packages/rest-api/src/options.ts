import { checkDurations } from "@ipc/core/durations";
import type { Flag } from "@ipc/core/flags";
import type { HttpGuardOptions } from "@ipc/core/http-guard";
import { PORTS } from "@ipc/core/ports";
import { checkOpen, TOKEN_FLAGS, type TokenOptions } from "@ipc/core/token";
import type { ServerEvent } from "./events.ts";
import { FIRST_BOOKS } from "./first-books.ts";
import type { FirstBook } from "./store.ts";

/** Options of `startServer`. */
export interface ServerOptions extends HttpGuardOptions, TokenOptions {
  /** The address to listen on; `0.0.0.0` opens it to the network. @default {"127.0.0.1"} */
  host?: string | undefined;
  /** 0 takes a free one; `url` tells which. @default {0} */
  port?: number | undefined;
  /**
   * Where the books are: `file:books.db`, which several processes of one machine may share, or `libsql://` and `https://`
   * of a server, its token as `?authToken=…`.
   * @default {data/books.db beside src/, made when it is not there}
   */
  database?: string | undefined;
  /** Syncs a file to the disk with every write: survives a power loss, not only the death of the process. @default {false} */
  fsync?: boolean | undefined;
  /** What a new database begins with. @default {a shelf of 24} */
  firstBooks?: readonly FirstBook[] | undefined;
  /** Requests a minute that one address may send; 0 is no limit. @default {1_000} */
  rateLimit?: number | undefined;
  /** The longest body in bytes. @default {65_536} */
  maxBodyBytes?: number | undefined;
  /** Connections at once; more are closed as they come. @default {10_000} */
  maxConnections?: number | undefined;
  /** How many may follow the changes at once; more get 503. @default {1_000} */
  maxWatchers?: number | undefined;
  /** Time for the headers of a request, in ms; checked once a second. @default {3_000} */
  headersTimeoutMs?: number | undefined;
  /** Time for a whole request, in ms; checked once a second. @default {5_000} */
  requestTimeoutMs?: number | undefined;
  /** A connection on which nothing moves for so long, in ms, is closed. @default {10_000} */
  idleTimeoutMs?: number | undefined;
  /** How often the changes are read while somebody follows them, in ms. @default {1_000} */
  pollMs?: number | undefined;
  /** How often those who follow the changes hear that the server is alive, in ms. @default {5_000} */
  heartbeatMs?: number | undefined;
  /** How long `close()` lets requests in flight finish, in ms; then they are cut off. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ServerEvent) => void) | undefined;
}

/** Defaults of options left out. */
export const SERVER_DEFAULTS = {
  host: "127.0.0.1",
  port: 0,
  database: new URL("../data/books.db", import.meta.url).href,
  fsync: false,
  firstBooks: FIRST_BOOKS as readonly FirstBook[],
  rateLimit: 1_000,
  maxBodyBytes: 65_536,
  maxConnections: 10_000,
  maxWatchers: 1_000,
  headersTimeoutMs: 3_000,
  requestTimeoutMs: 5_000,
  idleTimeoutMs: 10_000,
  pollMs: 1_000,
  heartbeatMs: 5_000,
  graceMs: 3_000,
};

/** Options with nothing left out. */
export type Settings = typeof SERVER_DEFAULTS & HttpGuardOptions & TokenOptions & Pick<ServerOptions, "onEvent">;

/**
 * Fills in the defaults.
 *
 * @throws {RangeError} for a duration, a limit or a token that makes no sense.
 * @throws {Error} `ERR_NO_TOKEN` when anybody on a network could write.
 */
export function readOptions(options: ServerOptions): Settings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const settings: Settings = { ...SERVER_DEFAULTS, ...given };
  const { headersTimeoutMs, requestTimeoutMs, idleTimeoutMs, pollMs, heartbeatMs, graceMs } = settings;
  checkDurations({ headersTimeoutMs, requestTimeoutMs, idleTimeoutMs, pollMs, heartbeatMs, graceMs });
  for (const name of ["maxBodyBytes", "maxConnections", "maxWatchers", "pollMs", "heartbeatMs"] as const) {
    if (settings[name] >= 1) continue;
    throw new RangeError(`Cannot use ${name}: current value is ${settings[name]}, the least is 1`);
  }
  if (settings.host === "")
    throw new TypeError("Cannot listen on host '': that would be every address of this machine");
  checkOpen(settings.host, settings);
  return settings;
}

/** The options of a server as the flags of a program. */
export const SERVER_FLAGS = {
  host: { type: "text", default: SERVER_DEFAULTS.host, help: "address to listen on" },
  port: { type: "number", default: PORTS["rest-api"], max: 65_535, help: "port to listen on; 0: a free one" },
  ...TOKEN_FLAGS,
  database: { type: "text", help: "libSQL URL (DATABASE_URL, or data/books.db)" },
  fsync: { type: "switch", help: "survive a power loss, too" },
  rateLimit: { type: "number", default: SERVER_DEFAULTS.rateLimit, help: "requests a minute from one; 0: any" },
  maxBodyBytes: { type: "number", default: SERVER_DEFAULTS.maxBodyBytes, min: 1, help: "longest body" },
  maxConnections: { type: "number", default: SERVER_DEFAULTS.maxConnections, min: 1, help: "clients at once" },
  maxWatchers: { type: "number", default: SERVER_DEFAULTS.maxWatchers, min: 1, help: "followers of changes" },
  headersTimeoutMs: { type: "number", default: SERVER_DEFAULTS.headersTimeoutMs, help: "time for the headers" },
  requestTimeoutMs: { type: "number", default: SERVER_DEFAULTS.requestTimeoutMs, help: "time for a request" },
  idleTimeoutMs: { type: "number", default: SERVER_DEFAULTS.idleTimeoutMs, help: "time nothing may move" },
  pollMs: { type: "number", default: SERVER_DEFAULTS.pollMs, min: 1, help: "how often changes are read" },
  heartbeatMs: { type: "number", default: SERVER_DEFAULTS.heartbeatMs, min: 1, help: "how often followers hear" },
  graceMs: { type: "number", default: SERVER_DEFAULTS.graceMs, help: "time to finish when told to stop" },
  allowedHosts: { type: "text", default: "", help: "further names of it, by commas" },
  allowedOrigins: { type: "text", default: "", help: "pages that may ask, by commas" },
} as const satisfies Record<string, Flag>;
