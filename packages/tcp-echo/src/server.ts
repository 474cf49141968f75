import type { Socket } from "node:net";
import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_MAX_FRAME_BYTES } from "@ipc/core/framing";
import { readFrames } from "@ipc/core/read-frames";
import { startTcpServer, TCP_SERVER_DEFAULTS, type TcpServer, type TcpServerOptions } from "@ipc/core/tcp-server";
import { createFrameWriter } from "@ipc/core/write-frames";
import { FRAMINGS, type FramingName } from "./framings.ts";
import { rawFraming } from "./raw.ts";

/**
 * What the server does with a message. The next message of the same connection waits for its reply; other connections
 * do not. If it throws, the connection is dropped with all that waits on it, and only `onEvent` is told.
 *
 * @param message A view into what came from the socket: `slice()` what you keep.
 * @param socket To know the peer by, not to write to.
 */
export type Handler = (message: Uint8Array, socket: Socket) => Uint8Array | Promise<Uint8Array>;

/** Options of {@link startServer}. */
export interface ServerOptions extends TcpServerOptions {
  /** What answers a message. @default {(message) => message} */
  handler?: Handler | undefined;
  /** How messages are kept apart; `raw` does not. @default {"length"} */
  framing?: FramingName | "raw" | undefined;
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /** A message that has begun must be whole within this time, in ms; 0 is no limit. @default {10_000} */
  frameTimeoutMs?: number | undefined;
  /** A client that neither sends nor takes anything for so long, in ms, is cut off; 0 is no limit. @default {60_000} */
  idleTimeoutMs?: number | undefined;
}

/** Defaults of options left out. */
export const SERVER_DEFAULTS = {
  ...TCP_SERVER_DEFAULTS,
  framing: "length",
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  frameTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
} as const;

/**
 * Answers every message with what `handler` makes of it, in the order in which they came.
 *
 * @returns The server, listening; `url` tells where.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen.
 * @throws {RangeError} when a limit, a duration or `port` is out of range.
 */
export async function startServer(options: ServerOptions = {}): Promise<TcpServer> {
  const {
    handler = (message: Uint8Array) => message,
    framing: name = SERVER_DEFAULTS.framing,
    maxFrameBytes = SERVER_DEFAULTS.maxFrameBytes,
    frameTimeoutMs = SERVER_DEFAULTS.frameTimeoutMs,
    idleTimeoutMs = SERVER_DEFAULTS.idleTimeoutMs,
  } = options;
  const framing = name === "raw" ? rawFraming : FRAMINGS[name];
  // Limits that make no sense are refused now, not when the first client comes.
  checkDurations({ frameTimeoutMs, idleTimeoutMs });
  framing.createDecoder({ maxFrameBytes });

  return await startTcpServer(options, async (socket, signal) => {
    const decoder = framing.createDecoder({ maxFrameBytes });
    const writer = createFrameWriter(socket, framing, { maxFrameBytes });
    for await (const messages of readFrames(socket, decoder, { frameTimeoutMs, idleTimeoutMs, signal })) {
      for (const message of messages) {
        const reply = handler(message, socket);
        const mayGoOn = writer.write(reply instanceof Uint8Array ? reply : await reply, messages.length === 1);
        // A client that does not read its replies is not read from either: memory stays bounded.
        if (!mayGoOn) await writer.drained();
      }
    }
  });
}
