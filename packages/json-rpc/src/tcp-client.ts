import type { Socket } from "node:net";
import { lineFraming } from "@ipc/core/framing";
import { connectTcp, endSocket } from "@ipc/core/sockets";
import { tell } from "@ipc/core/tell";
import { createTextLineDecoder } from "@ipc/core/text-lines";
import { createFrameWriter, type FrameWriter } from "@ipc/core/write-frames";
import type { Exchange, InFlight } from "./exchange.ts";
import { type Link, type LinkOptions, resetError, unexpected } from "./link.ts";
import { EAGER_MESSAGES, idOf, outcomeOf, requestText } from "./protocol.ts";

/**
 * One connection for many calls at once: replies come in any order and find their call by its id. It is opened again when
 * there is something to send.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`.
 */
export async function openTcpLink(url: string, options: LinkOptions, inFlight: InFlight): Promise<Link> {
  const link = new TcpLink(url, options, inFlight);
  await link.open(options.signal);
  return link;
}

class TcpLink implements Link {
  readonly #url: string;
  readonly #options: LinkOptions;
  readonly #inFlight: InFlight;
  readonly #closing = new AbortController();
  /** What waits for a connection. */
  readonly #waiting = new Set<Exchange>();
  #opening: Promise<void> | undefined;
  #socket: Socket | undefined;
  #writer: FrameWriter | undefined;
  #heardAt = 0;
  #sent = 0;
  #complaint: Error | undefined;
  #question: NodeJS.Timeout | undefined;
  lastFailure: Error | undefined;

  constructor(url: string, options: LinkOptions, inFlight: InFlight) {
    this.#url = url;
    this.#options = options;
    this.#inFlight = inFlight;
  }

  get bufferedBytes() {
    return (this.#socket?.writableLength ?? 0) + (this.#writer?.queuedBytes ?? 0);
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    const { waitMs, maxFrameBytes, onEvent } = this.#options;
    const url = this.#url;
    const onWaiting = (error: Error) => {
      this.lastFailure = error;
      tell(onEvent, { type: "waiting", url, error });
    };
    const socket = await connectTcp(url, { waitMs, signal, onWaiting });
    if (this.#closing.signal.aborted) {
      socket.destroy();
      throw this.#closing.signal.reason;
    }
    if (this.#socket) this.#lose(this.#socket, new Error("the connection was replaced"));
    const decoder = createTextLineDecoder({ maxFrameBytes });
    // Not readFrames(): a reply is handed on at once, so there is no loop to wait for and nothing to hold back.
    socket.on("data", (chunk) => {
      this.#heardAt = performance.now();
      try {
        for (const line of decoder.decode(chunk)) this.#receive(JSON.parse(line));
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    // No reply can follow; what is still to be sent would wait for ever at a server that does not read.
    socket.on("end", () => socket.destroy());
    socket.on("close", () =>
      this.#lose(socket, socket.errored ?? this.#complaint ?? new Error("the server closed it")),
    );
    this.#socket = socket;
    this.#complaint = undefined;
    this.#heardAt = performance.now();
    this.#writer = createFrameWriter(socket, lineFraming, { maxFrameBytes });
    tell(onEvent, { type: "connected", url });
    for (const exchange of this.#waiting) this.#transmit(this.#writer, exchange);
    this.#waiting.clear();
  }

  send(exchange: Exchange): void {
    if (this.#socket?.writable && this.#writer) {
      this.#transmit(this.#writer, exchange);
      return;
    }
    exchange.isWaiting = true;
    exchange.onForgotten = () => this.#waiting.delete(exchange);
    this.#waiting.add(exchange);
    this.#opening ??= this.#reopen();
  }

  async #reopen() {
    try {
      await this.open(this.#closing.signal);
    } catch (error) {
      for (const exchange of this.#waiting) exchange.fail(error);
    } finally {
      this.#opening = undefined;
    }
  }

  #transmit(writer: FrameWriter, exchange: Exchange) {
    exchange.isWaiting = false;
    exchange.isSent = true;
    // As Nagle does (RFC 896): what finds nothing on its way goes at once, the rest waits for company.
    const isAlone = this.#inFlight.count === 1;
    const mayGoOn = writer.write(exchange.bytes, isAlone || ++this.#sent % EAGER_MESSAGES === 0);
    if (exchange.isOwed) return;
    // A notification is done when it is sent; a sender that awaits it does not outrun the server.
    if (mayGoOn) return exchange.finish();
    writer.drained().then(
      () => exchange.finish(),
      (error) => exchange.fail(resetError(this.#url, error)),
    );
  }

  #receive(message: unknown) {
    const replies = Array.isArray(message) ? message : [message];
    // What the first reply to a batch belongs to, the others mostly belong to as well.
    const likely = this.#inFlight.find(idOf(replies[0]));
    for (const reply of replies) this.#settle(reply, likely);
  }

  #settle(reply: unknown, likely: Exchange | undefined) {
    const id = idOf(reply);
    if (likely?.settle(id, reply) || this.#inFlight.find(id)?.settle(id, reply)) return;
    if (id === QUESTION_ID) return;
    const outcome = outcomeOf(reply);
    // The server could not read something: which message it was nobody knows, but it may be why it hangs up next.
    if (id === null && outcome.status === "rejected") this.#complaint = outcome.reason;
    tell(this.#options.onEvent, { type: "dropped", url: this.#url, error: unexpected(reply) });
  }

  /** A method may be slow; a server that does not even answer whether it is there is gone, or half open. */
  suspect({ deadline }: Exchange): void {
    const socket = this.#socket;
    const askedAt = performance.now();
    const { timeoutMs } = this.#options;
    if (!socket?.writable || this.#question || this.#heardAt > deadline - timeoutMs) return;
    this.#writer?.write(Buffer.from(requestText("rpc.ping", undefined, QUESTION_ID)));
    this.#question = setTimeout(() => {
      // Timers run before what has come meanwhile is read: judged is after that.
      setImmediate(() => {
        this.#question = undefined;
        if (this.#heardAt < askedAt) socket.destroy(new Error("the server says nothing any more"));
      });
    }, timeoutMs).unref();
  }

  #lose(socket: Socket, cause: Error) {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#writer = undefined;
    clearTimeout(this.#question);
    this.#question = undefined;
    const error = resetError(this.#url, cause);
    for (const exchange of this.#inFlight.all) if (exchange.isSent) exchange.fail(error);
    tell(this.#options.onEvent, { type: "disconnected", url: this.#url, error: cause });
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the client is closed"));
    await this.#opening;
    if (this.#socket) await endSocket(this.#socket);
  }
}

/** Answered like any other call of a method that is not there: an answer all the same. Calls count from 1. */
const QUESTION_ID = 0;
