/**
 * What the programs in `bin/` share; nothing else in `src/` needs it.
 *
 * @module
 */
import { printable } from "@ipc/core/terminal";
import { TOKEN_FLAGS } from "@ipc/core/token";
import { POST_SERVER_DEFAULTS } from "./post-server.ts";
import type { RelayEvent } from "./relay.ts";
import type { SinkEvent } from "./sink.ts";

const defaults = POST_SERVER_DEFAULTS;

/** The flags that programs around a relay and a sink share. */
export const SERVER_FLAGS = {
  host: { type: "text", default: defaults.host, help: "address; 0.0.0.0 for a network" },
  ...TOKEN_FLAGS,
  maxBodyBytes: { type: "number", default: defaults.maxBodyBytes, min: 1, help: "longest body" },
  maxQueuedBytes: { type: "number", default: defaults.maxQueuedBytes, min: 1, help: "all bodies together" },
  maxConnections: { type: "number", default: defaults.maxConnections, min: 1, help: "clients at once" },
  headersTimeoutMs: {
    type: "number",
    default: defaults.headersTimeoutMs,
    min: 1,
    help: "time for the head of a request",
  },
  requestTimeoutMs: { type: "number", default: defaults.requestTimeoutMs, min: 1, help: "time for a whole request" },
  idleTimeoutMs: { type: "number", default: defaults.idleTimeoutMs, min: 1, help: "time without a byte" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
  allowedHosts: { type: "text", help: "more names of this server: a.example,b.example" },
  allowedOrigins: { type: "text", help: "pages that may ask: https://app.example" },
} as const;

/** A flag's text as a value. @throws {TypeError} `ERR_USAGE` for what is no JSON. */
export function readJson(flag: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw Object.assign(new TypeError(`Cannot use --${flag} ${text}: it is no JSON`, { cause }), { code: "ERR_USAGE" });
  }
}

/** Flags as options. */
export function withLists<V extends { allowedHosts?: string; allowedOrigins?: string }>(values: V) {
  const { allowedHosts, allowedOrigins } = values;
  return { ...values, allowedHosts: allowedHosts?.split(","), allowedOrigins: allowedOrigins?.split(",") };
}

/** What a relay or a sink tells, as a line for a log: nothing in it moves the cursor. */
export function describeEvent(event: RelayEvent | SinkEvent): string {
  switch (event.type) {
    case "refused":
      return `refused: ${event.status} ${printable(Buffer.from(event.detail))}`;
    case "recorded":
      return `recorded ${printable(event.body, 60)}`;
    case "known":
      return `known already: ${printable(event.body, 60)}`;
    case "passed":
      return `passed on ${printable(event.body, 60)}: ${event.status}`;
    case "waiting":
      return `waiting for ${event.url}: ${event.error.message}`;
    case "connected":
      return `connected to ${event.url}`;
    case "failed":
      return "status" in event
        ? `not passed on ${printable(event.body, 60)}: ${event.status}, ${event.error.message}`
        : `Cannot write the record: ${event.error.message}`;
  }
}
