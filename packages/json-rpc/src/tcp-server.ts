/**
 * JSON-RPC over TCP: one message a line. Calls of a connection run at once; each is answered when it is done, in any
 * order, and what one turn of the event loop produced goes out in one write.
 *
 * @module
 */
import type { Socket } from "node:net";
import { type FrameError, lineFraming } from "@ipc/core/framing";
import { readFrames } from "@ipc/core/read-frames";
import { startTcpServer, type TcpServer, type TcpServerOptions } from "@ipc/core/tcp-server";
import { createFrameWriter, type FrameWriter } from "@ipc/core/write-frames";
import { Caller } from "./caller.ts";
import { type Dispatch, errorText } from "./dispatcher.ts";
import { EAGER_MESSAGES } from "./link.ts";
import { ERROR_CODES } from "./protocol.ts";

/** Where and how it listens. All durations in ms. */
export interface TcpOptions extends TcpServerOptions {
  maxFrameBytes: number;
  maxInFlightBytes: number;
  frameTimeoutMs: number;
  idleTimeoutMs: number;
}

/** Listens. @throws {Error} `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, with the URL in its text. */
export function startTcp(options: TcpOptions, dispatch: Dispatch): Promise<TcpServer> {
  return startTcpServer(options, (socket, signal) => serveLines(socket, signal, options, dispatch));
}

async function serveLines(socket: Socket, signal: AbortSignal, options: TcpOptions, dispatch: Dispatch): Promise<void> {
  const calls = new Connection(socket);
  try {
    for await (const lines of readFrames(socket, lineFraming.createDecoder(options), { ...options, signal })) {
      for (const line of lines) {
        // Closed, since any web page could have HTTP sent here with a call as a line of its body.
        if (!calls.begin(line, dispatch, lines.length === 1)) throw new Error("Cannot read message: it is no JSON");
      }
      await calls.below(options.maxInFlightBytes);
    }
  } catch (error) {
    if (isTooLarge(error)) calls.complain(error.message);
    throw error;
  } finally {
    // What was begun is answered, also when the client has ended its side or the server is closing.
    await calls.below(0);
  }
}

function isTooLarge(error: unknown): error is FrameError {
  return error instanceof RangeError && "code" in error && error.code === "ERR_FRAME_TOO_LARGE";
}

/** 8 KiB: the same for long answers, as those to batches. */
const EAGER_BYTES = 8_192;

/** The calls of one connection. */
class Connection {
  readonly #socket: Socket;
  readonly #writer: FrameWriter;
  readonly #caller: Caller;
  #inFlightBytes = 0;
  #answers = 0;
  #mayGoOn = true;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#caller = new Caller(socket, socket);
    // The dispatcher has a limit of its own, and answers what is above it.
    this.#writer = createFrameWriter(socket, lineFraming, { maxFrameBytes: 0xffff_ffff });
    socket.once("close", () => this.#wake?.());
  }

  /** Runs what a line asks for. Returns whether it was JSON. */
  begin(line: Uint8Array, dispatch: Dispatch, isAlone: boolean): boolean {
    const bytes = line.length;
    this.#inFlightBytes += bytes;
    return dispatch(line, this.#caller, (text) => this.#answer(text, bytes, isAlone));
  }

  #answer(text: string | undefined, bytes: number, isAlone: boolean) {
    this.#inFlightBytes -= bytes;
    if (text !== undefined && this.#socket.writable) {
      const isMuch = ++this.#answers % EAGER_MESSAGES === 0 || this.#writer.queuedBytes + text.length >= EAGER_BYTES;
      this.#mayGoOn = this.#writer.write(Buffer.from(text), isAlone || isMuch);
    }
    this.#wake?.();
  }

  /** Tells why the connection is closed. */
  complain(reason: string) {
    this.#answer(errorText(ERROR_CODES.invalidRequest, "Invalid Request", reason), 0, false);
  }

  /** Resolves when no more than so many bytes of messages have no answer yet, and the client takes its answers. */
  async below(bytes: number): Promise<void> {
    while (this.#inFlightBytes > bytes && !this.#socket.destroyed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#wake = undefined;
    if (this.#mayGoOn || this.#socket.destroyed) return;
    await this.#writer.drained();
    this.#mayGoOn = true;
  }
}
