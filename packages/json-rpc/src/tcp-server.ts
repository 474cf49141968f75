/**
 * JSON-RPC over TCP: one message a line. Calls of a connection run at once; each is answered when it is done, in any
 * order, and what one turn of the event loop produced goes out in one write.
 *
 * @module
 */
import type { Socket } from "node:net";
import { lineFraming } from "@ipc/core/framing";
import { readFrames } from "@ipc/core/read-frames";
import { startTcpServer, type TcpServer, type TcpServerOptions } from "@ipc/core/tcp-server";
import { createFrameWriter, type FrameWriter } from "@ipc/core/write-frames";
import { Caller } from "./caller.ts";
import { type Answer, type Dispatcher, errorText, PARSE_ERROR } from "./dispatcher.ts";
import { EAGER_MESSAGES, ERROR_CODES } from "./protocol.ts";

/** Where and how it listens. All durations in ms. */
export interface TcpOptions extends TcpServerOptions {
  maxFrameBytes: number;
  maxInFlightBytes: number;
  frameTimeoutMs: number;
  idleTimeoutMs: number;
}

/** Listens. @throws {Error} `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, with the URL in its text. */
export function startTcp(options: TcpOptions, dispatcher: Dispatcher): Promise<TcpServer> {
  return startTcpServer(options, async (socket, signal) => {
    const calls = new Connection(socket, dispatcher);
    try {
      for await (const lines of readFrames(socket, lineFraming.createDecoder(options), { ...options, signal })) {
        for (const line of lines) calls.begin(line, lines.length === 1);
        await calls.below(options.maxInFlightBytes);
      }
    } catch (error) {
      calls.complain(error);
      throw error;
    } finally {
      // What was begun is answered, also when the client has ended its side or the server is closing.
      await calls.below(0);
    }
  });
}

/** 8 KiB: the same for long answers, as those to batches. */
const EAGER_BYTES = 8_192;

/** The calls of one connection. */
class Connection {
  readonly #socket: Socket;
  readonly #dispatcher: Dispatcher;
  readonly #writer: FrameWriter;
  readonly #caller: Caller;
  #inFlightBytes = 0;
  #answers = 0;
  #mayGoOn = true;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, dispatcher: Dispatcher) {
    this.#socket = socket;
    this.#dispatcher = dispatcher;
    this.#caller = new Caller(socket, socket);
    // The dispatcher has a limit of its own, and answers what is above it.
    this.#writer = createFrameWriter(socket, lineFraming, { maxFrameBytes: 0xffff_ffff });
    socket.once("close", () => this.#wake?.());
  }

  /** Runs what a line asks for. @throws {SyntaxError} for what is no JSON. */
  begin(line: Uint8Array, isAlone: boolean): void {
    const answer = this.#dispatcher.dispatch(line, this.#caller);
    if (!(answer instanceof Promise)) {
      this.#write(answer, isAlone);
      return;
    }
    const bytes = line.length;
    this.#inFlightBytes += bytes;
    void answer.then((text) => {
      this.#inFlightBytes -= bytes;
      this.#write(text, isAlone);
      this.#wake?.();
    });
  }

  #write(text: Answer, isAlone: boolean) {
    if (text === undefined || !this.#socket.writable) return;
    const isMuch = ++this.#answers % EAGER_MESSAGES === 0 || this.#writer.queuedBytes + text.length >= EAGER_BYTES;
    this.#mayGoOn = this.#writer.write(Buffer.from(text), isAlone || isMuch);
  }

  /** Tells why the connection is closed, where that is what the client sent. */
  complain(error: unknown): void {
    // Closed, since any web page could have HTTP sent here with a call as a line of its body.
    if (error instanceof SyntaxError) this.#write(PARSE_ERROR, false);
    else if (error instanceof RangeError) {
      this.#write(errorText(ERROR_CODES.invalidRequest, "Invalid Request", error.message), false);
    }
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
