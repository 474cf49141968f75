/**
 * What the programs in `bin/` need; nothing else in `src/` does.
 *
 * @module
 */
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { PORTS } from "@ipc/core/ports";
import { TOKEN_FLAGS } from "@ipc/core/token";
import { parseAddress } from "@ipc/core/url";
import type { Sender } from "./outbox.ts";
import { PEER_DEFAULTS as defaults } from "./peer-options.ts";

/** The options of a peer as flags. */
export const PEER_FLAGS = {
  name: { type: "text", default: defaults.name, help: "what it is called: the origin of what it sends" },
  host: { type: "text", default: defaults.host, help: "address to listen on; 0.0.0.0 for a network" },
  port: { type: "number", default: PORTS["tcp-relay-a"], max: 65_535, help: "port to listen on; 0: a free one" },
  ...TOKEN_FLAGS,
  token: { type: "text", help: "what callers must show, and the next peer is shown" },
  next: { type: "text", help: "URL of the next peer; -: from stdin; none: all ends here" },
  logFile: { type: "text", help: "where to keep the ids of what was delivered" },
  maxIds: { type: "number", default: defaults.maxIds, min: 1, help: "ids remembered, at least" },
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 1, help: "longest message" },
  windowBytes: { type: "number", default: defaults.windowBytes, min: 1, help: "own bytes on their way" },
  maxConnections: { type: "number", default: defaults.maxConnections, min: 1, help: "callers at once" },
  heartbeatMs: { type: "number", default: defaults.heartbeatMs, min: 1, help: "time between signs of life" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
} as const;

/**
 * The address of the next peer, as the first line of `input`.
 *
 * @throws {TypeError} `ERR_INVALID_URL`, also when there is no line.
 */
export async function readNext(input: Readable): Promise<string> {
  for await (const line of createInterface({ input })) {
    parseAddress(line.trim(), "tcp");
    return line.trim();
  }
  return parseAddress("", "tcp").host;
}

/**
 * Sends a JSON text many times: 64 at once, so that any number goes, however little may wait in line.
 *
 * @throws {TypeError} `ERR_USAGE` when it is no JSON: nothing is sent.
 */
export async function sendJson(sender: Sender, json: string, count: number): Promise<void> {
  const body = parse(json);
  let left = count;
  async function sendSome() {
    while (left-- > 0) await sender.send(body);
  }
  await Promise.all(Array.from({ length: 64 }, sendSome));
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw Object.assign(new TypeError(`Cannot send '${json}': it is no JSON`, { cause }), { code: "ERR_USAGE" });
  }
}
