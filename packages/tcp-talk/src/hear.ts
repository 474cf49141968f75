import { isUtf8 } from "node:buffer";
import type { Socket } from "node:net";
import { type FrameDecoder, lineFraming } from "@ipc/core/framing";
import { readFrames } from "@ipc/core/read-frames";
import { endSocket } from "@ipc/core/sockets";
import { isBusyThere, speaksHttp } from "./errors.ts";
import { BUSY, BYE, parseLine } from "./protocol.ts";

/** What bounds the hearing, and whom one hears. */
export interface HearOptions {
  /** Where the other side is, for errors. */
  url: string;
  maxFrameBytes: number;
  /** Only who has called can be told that a talk is on. */
  isCaller: boolean;
}

/**
 * The lines of the other side.
 *
 * @param onGarbled Called for the first line that is no UTF-8.
 * @returns How they ended: with its bye, or without.
 * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, after the lines before it.
 * @throws {Error} `EPROTO`, `EBUSY`; what the socket failed with. The other side has been told where that helps.
 */
export async function* hearLines(
  socket: Socket,
  { url, maxFrameBytes, isCaller }: HearOptions,
  onGarbled: () => void,
): AsyncGenerator<string, "bye" | "left", undefined> {
  let count = 0;
  let isBusy = false;
  let isGarbled = false;
  try {
    for await (const bytes of readLines(socket, maxFrameBytes)) {
      const line = parseLine(bytes);
      if (line === BYE) return "bye";
      if (++count === 1) checkHttp(line, url);
      if (!isGarbled && !isUtf8(bytes)) {
        isGarbled = true;
        onGarbled();
      }
      isBusy = isCaller && count === 1 && line === BUSY;
      yield line;
    }
    if (isBusy) throw isBusyThere(url);
    return "left";
  } catch (error) {
    answer(socket, error as Error);
    throw error;
  }
}

async function* readLines(socket: Socket, maxFrameBytes: number): AsyncGenerator<Uint8Array> {
  const decoder = lineFraming.createDecoder({ maxFrameBytes });
  for await (const lines of readFrames(socket, takingTheLast(decoder))) yield* lines;
  if (decoder.isInsideFrame) yield* decoder.decode(Uint8Array.of(0x0a));
}

/** `printf bye | nc`: a last line without a newline is a line as well, not an error. */
function takingTheLast(decoder: FrameDecoder): FrameDecoder {
  return {
    decode: (chunk) => decoder.decode(chunk),
    end: () => {},
    get isInsideFrame() {
      return decoder.isInsideFrame;
    },
    get error() {
      return decoder.error;
    },
  };
}

/**
 * A browser, or a web server that was called. Any web page can make a browser send to a port of this machine: what it
 * sends must not look like somebody talking.
 */
function checkHttp(firstLine: string, url: string): void {
  if (HTTP_REQUEST.test(firstLine)) throw Object.assign(speaksHttp(url), { answer: BAD_REQUEST });
  if (HTTP_RESPONSE.test(firstLine)) throw speaksHttp(url);
}

const HTTP_REQUEST = /^[A-Z]+ \S+ HTTP\/\d/;
const HTTP_RESPONSE = /^HTTP\/\d/;
const BAD_REQUEST = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: text/plain; charset=utf-8",
  "Connection: close",
  "",
  "This is tcp-talk: it takes lines of text, not HTTP.",
  "",
].join("\r\n");

/** One line to whoever sent what cannot be taken; what else they send is discarded, so that they get to read that. */
function answer(socket: Socket, error: Error & { code?: string; answer?: string }): void {
  const text = error.code === "ERR_FRAME_TOO_LARGE" ? `${error.message}\n` : error.answer;
  if (text && socket.writable) socket.write(text);
  void endSocket(socket);
}
