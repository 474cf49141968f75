/**
 * Who may call a server that is open to a network: whoever shows its token. It goes over the wire as it is, so it keeps
 * strangers out, not those who can listen on the way.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import { type Framing, lineFraming } from "./framing.ts";
import { whenAborted } from "./when-aborted.ts";

/** Who may call. */
export interface TokenOptions {
  /**
   * What a caller must show first: 16 to 256 printable ASCII characters, no blank. Wanted on a host other than this
   * machine's own.
   */
  token?: string | undefined;
  /** Lets anybody on the network call, without a token. @default {false} */
  insecure?: boolean | undefined;
}

/** {@link TokenOptions} as flags of a server's program. */
export const TOKEN_FLAGS = {
  token: { type: "text", help: "what callers must show; a network needs it" },
  insecure: { type: "switch", help: "opens it to a network without a token" },
} as const;

/** What to do about the errors of this file, for a program's `advice`. */
export const TOKEN_ADVICE = {
  ERR_NO_TOKEN: "Name one with --token, or let anybody in with --insecure",
  ERR_WRONG_TOKEN: "Check --token",
} as const;

/**
 * Refuses to open a server to a network while anybody there may call.
 *
 * @throws {Error} `ERR_NO_TOKEN` for a host that is not this machine's own, without a token and not `insecure`.
 * @throws {RangeError} for what is no token.
 * @example
 * ```ts
 * import { checkOpen } from "@ipc/core/token";
 *
 * checkOpen("127.0.0.1", {});
 * try {
 *   checkOpen("0.0.0.0", {});
 * } catch (error) {
 *   console.log(String(error));
 * }
 * ```
 * ```text
 * Error: Cannot listen on 0.0.0.0 without a token: anybody on the network could call
 * ```
 */
export function checkOpen(host: string, { token, insecure }: TokenOptions): void {
  checkToken(token);
  if (token !== undefined || insecure || LOOPBACK.test(host)) return;
  const text = `Cannot listen on ${host} without a token: anybody on the network could call`;
  throw Object.assign(new Error(text), { code: "ERR_NO_TOKEN", host });
}

/** @throws {RangeError} for what is no token; the error does not tell it. */
export function checkToken(token: string | undefined): void {
  if (token === undefined || TOKEN.test(token)) return;
  throw new RangeError("Cannot use token: it takes 16 to 256 printable ASCII characters, no blank");
}

/** 16: so many characters by chance are not guessed by trying, at whatever rate. */
const TOKEN = /^[\x21-\x7e]{16,256}$/;
const LOOPBACK = /^(localhost|::1|(::ffff:)?127(\.\d{1,3}){3})$/i;

/**
 * Whether this is the token. Takes the same time wherever the first difference is, and whatever the length.
 *
 * @example
 * ```ts
 * import { isToken } from "@ipc/core/token";
 *
 * console.log(isToken("a guess", "0123456789abcdef"), isToken("0123456789abcdef", "0123456789abcdef"));
 * ```
 * ```text
 * false true
 * ```
 */
export function isToken(given: string, token: string): boolean {
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** How to read the frame in which a caller shows its token. */
export interface FirstFrameOptions {
  /** How frames are kept apart. @default {lineFraming} */
  framing?: Framing | undefined;
  /** Within which time it must be there, in ms. @default {10_000} */
  timeoutMs?: number | undefined;
  /** Ends the waiting. */
  signal?: AbortSignal | undefined;
}

/** 512: a token, and what may stand around it. */
const MOST_BYTES = 512;

/**
 * Reads the first frame of a connection and leaves all behind it unread, for whoever reads on. Nobody knows yet who
 * that is: no more than 512 bytes are taken.
 *
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE`.
 * @throws {Error} `ETIMEDOUT`; `EPIPE` when the caller leaves before, or `signal` aborts.
 * @example
 * ```ts
 * import { PassThrough } from "node:stream";
 * import { readFirstFrame } from "@ipc/core/token";
 *
 * const stream = new PassThrough();
 * stream.end("the token\nand more");
 * console.log(new TextDecoder().decode(await readFirstFrame(stream)), stream.read().toString());
 * ```
 * ```text
 * the token and more
 * ```
 */
export function readFirstFrame(socket: Duplex, options: FirstFrameOptions = {}): Promise<Uint8Array> {
  const { framing = lineFraming, timeoutMs = 10_000, signal } = options;
  const decoder = framing.createDecoder({ maxFrameBytes: MOST_BYTES });
  return new Promise((resolve, reject) => {
    function settle(result: Uint8Array | Error) {
      clearTimeout(timer);
      forget?.();
      socket.off("readable", onReadable).off("end", onEnd).off("close", onEnd);
      if (result instanceof Error) reject(result);
      else resolve(result);
    }
    function onReadable() {
      try {
        // One byte at a time: what stands behind the frame stays where it is.
        for (let byte = socket.read(1); byte !== null; byte = socket.read(1)) {
          const [frame] = decoder.decode(byte);
          if (decoder.error) throw decoder.error;
          if (frame) return settle(frame);
        }
      } catch (error) {
        settle(error as Error);
      }
    }
    const onEnd = () => settle(noToken("EPIPE", "it left without a token"));
    const timer = setTimeout(() => settle(noToken("ETIMEDOUT", `no token came within ${timeoutMs} ms`)), timeoutMs);
    const forget = signal && whenAborted(signal, () => settle(noToken("EPIPE", "the server is closed")));
    socket.on("readable", onReadable).on("end", onEnd).on("close", onEnd);
    if (signal?.aborted) settle(noToken("EPIPE", "the server is closed"));
    else if (socket.closed || socket.readableEnded) onEnd();
  });
}

function noToken(code: string, why: string): Error {
  return Object.assign(new Error(`Cannot let caller in: ${why}`), { code });
}
