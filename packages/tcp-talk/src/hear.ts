import { isUtf8 } from "node:buffer";
import type { Socket } from "node:net";
import { endSocket } from "@ipc/core/sockets";
import { talkError } from "./errors.ts";
import { BUSY, BYE, parseLine, readLines, WRONG_TOKEN } from "./protocol.ts";

/** What bounds the hearing, and whom one hears. */
export interface HearOptions {
  /** Where the other side is, for errors. */
  url: string;
  maxFrameBytes: number;
  /** Only who has called can be told that a talk is on, or that the token is wrong. */
  isCaller: boolean;
}

/**
 * The lines of the other side.
 *
 * @param onGarbled Called for the first line that is no UTF-8.
 * @returns How they ended: with its bye, or without.
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, after the lines before it.
 * @throws {Error} `EPROTO`, `EBUSY`, `ERR_WRONG_TOKEN`; what the socket failed with. The other side has been told where
 *   that helps.
 */
export async function* hearLines(
  socket: Socket,
  { url, maxFrameBytes, isCaller }: HearOptions,
  onGarbled: () => void,
): AsyncGenerator<string, "bye" | "left", undefined> {
  let count = 0;
  let refusal: Error | undefined;
  let isGarbled = false;
  try {
    for await (const bytes of readLines(socket, maxFrameBytes)) {
      const line = parseLine(bytes);
      if (line === BYE) return "bye";
      // Any web page can make a browser send to a port of this machine: that must not look like somebody talking.
      if (++count === 1 && HTTP.test(line)) throw talkError(url, "EPROTO", "it speaks HTTP");
      if (!isGarbled && !isUtf8(bytes)) {
        isGarbled = true;
        onGarbled();
      }
      refusal = isCaller && count === 1 ? refusalOf(url, line) : undefined;
      yield line;
    }
    if (refusal) throw refusal;
    return "left";
  } catch (error) {
    refuse(socket, error as Error, isCaller);
    throw error;
  }
}

/** What it means when this is all that is said to a caller. */
function refusalOf(url: string, line: string): Error | undefined {
  if (line === BUSY) return talkError(url, "EBUSY", "a talk is on there, try again later");
  return line === WRONG_TOKEN ? talkError(url, "ERR_WRONG_TOKEN", "it wants a token") : undefined;
}

/** What else they send is discarded, so that they get to read why. */
function refuse(socket: Socket, { code, message }: NodeJS.ErrnoException, isCaller: boolean): void {
  const text = code === "ERR_FRAME_TOO_LARGE" ? `${message}\n` : code === "EPROTO" && !isCaller ? BAD_REQUEST : "";
  if (socket.writable) socket.write(text);
  void endSocket(socket);
}

/** What a browser begins with, or a web server that was called. */
const HTTP = /^([A-Z]+ \S+ )?HTTP\/\d/;
const BAD_REQUEST =
  "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nThis is tcp-talk: it takes lines of text, not HTTP.\r\n";

/** One source for many loops, one after another: a `for await` ends the generator that it leaves, but not this. */
export function resumable<T>(source: AsyncGenerator<T, undefined, undefined>) {
  let isTaken = false;
  return {
    /** For a loop, which goes on where the last one was left. */
    iterate(): AsyncIterator<T, undefined, undefined> {
      isTaken = true;
      return {
        next: () => source.next(),
        return() {
          isTaken = false;
          return Promise.resolve({ done: true, value: undefined });
        },
      };
    },
    /** Throws away what comes while no loop takes it. */
    async discard(): Promise<void> {
      while (!isTaken && !(await source.next()).done);
    },
  };
}

/** What may happen in a talk beside what is said: the other side leaves without bye; it sends what is no UTF-8. */
export type News = "left" | "garbled";

/** One line for a log. @param who The other side's address. */
export function describeNews(news: News, who: string): string {
  return news === "left" ? `${who} left without bye` : `${who} sends what is no UTF-8: shown as \\xff`;
}
