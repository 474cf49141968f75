import type { Flag } from "@ipc/core/flags";
import { PORTS } from "@ipc/core/ports";
import { CLIENT_DEFAULTS } from "./client-options.ts";
import { SERVER_DEFAULTS as defaults } from "./options.ts";
import { ECHO, SESSION } from "./protocol.ts";

/** The options of a server as the flags of a program. */
export const SERVER_FLAGS = {
  host: { type: "text", default: defaults.host, help: "address to listen on" },
  port: { type: "number", default: PORTS.websocket, max: 65_535, help: "port to listen on; 0: a free one" },
  first: { type: "text", default: "client", choices: ["client", "server"], help: "who speaks first" },
  message: { type: "text", default: '{"five":5,"six":6}', help: "with --first server" },
  maxPayload: { type: "number", default: defaults.maxPayload, min: 1, help: "longest message" },
  maxFragments: { type: "number", default: defaults.maxFragments, min: 1, help: "pieces of one" },
  maxConnections: { type: "number", default: defaults.maxConnections, min: 1, help: "clients at once" },
  pauseAtBytes: { type: "number", default: defaults.pauseAtBytes, min: 1, help: "slow client: paused" },
  maxBufferedBytes: { type: "number", default: defaults.maxBufferedBytes, min: 1, help: "the same: dropped" },
  heartbeatMs: { type: "number", default: defaults.heartbeatMs, help: "how often to ping; 0: never" },
  resumeMs: { type: "number", default: defaults.resumeMs, help: "how long sessions wait" },
  keepMessages: { type: "number", default: defaults.keepMessages, min: 1, help: "kept of a session" },
  keepBytes: { type: "number", default: defaults.keepBytes, min: 1, help: "the same in bytes" },
  maxWaitingSessions: { type: "number", default: defaults.maxWaitingSessions, help: "cut ones at once" },
  headersTimeoutMs: { type: "number", default: defaults.headersTimeoutMs, help: "time for a handshake" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
  allowedHosts: { type: "text", default: "", help: "further names of it, by commas" },
  allowedOrigins: { type: "text", default: "", help: "pages that may connect, by commas" },
} as const satisfies Record<string, Flag>;

/** What the client's program takes. */
export const CLIENT_FLAGS = {
  message: { type: "text", default: '{"five":5,"six":6}', help: "what to send: JSON" },
  first: { type: "text", default: "client", choices: ["client", "server"], help: "who speaks first" },
  protocol: { type: "text", default: CLIENT_DEFAULTS.protocol, choices: [ECHO, SESSION], help: "subprotocol" },
  maxPayload: { type: "number", default: CLIENT_DEFAULTS.maxPayload, min: 1, help: "longest message" },
  heartbeatMs: { type: "number", default: CLIENT_DEFAULTS.heartbeatMs, help: "how often to ping; 0: never" },
  waitMs: { type: "number", default: CLIENT_DEFAULTS.waitMs, help: "time to wait for a server; 0 fails at once" },
  reconnectMs: { type: "number", default: CLIENT_DEFAULTS.reconnectMs, help: "pause after a cut" },
} as const satisfies Record<string, Flag>;

/** The names in a flag's text. */
export function listOf(text: string): string[] {
  return text.split(",").filter((name) => name !== "");
}

/** What to do about an error, by its code. */
export const ADVICE = {
  ERR_MALFORMED: "--message takes JSON",
  ERR_MESSAGE_TOO_LARGE: "Raise --max-payload on both sides",
  ERR_REFUSED: "Check the address",
  ETIMEDOUT: "Check that the server is alive, or wait longer with --wait-ms",
} as const;
