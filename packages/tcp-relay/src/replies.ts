import type { Socket } from "node:net";
import { lengthFraming } from "@ipc/core/framing";
import { formatAddress } from "@ipc/core/url";
import { createFrameWriter, type FrameWriter } from "@ipc/core/write-frames";
import { keepAlive } from "./heartbeat.ts";
import { encodeReply, type Reply } from "./protocol.ts";

/**
 * What one connection's messages are answered with. Answers need not come in the order of the messages: in a ring, each
 * of two peers may wait for the other one's next answer. What one turn of the event loop accepted goes out as a run.
 */
export class Replies {
  /** Messages that have no answer yet. */
  owed = 0;
  /** Whose connection it is: `127.0.0.1:54321`. */
  readonly peer: string;
  readonly #socket: Socket;
  readonly #writer: FrameWriter;
  #numbers = 0;
  #first = 0;
  #last = 0;
  #isFlushDue = false;
  #onSettled: (() => void) | undefined;

  constructor(socket: Socket, heartbeatMs: number) {
    this.#socket = socket;
    const { remoteAddress: host = "unknown", remotePort: port = 0 } = socket;
    this.peer = formatAddress("tcp", { host, port }).slice("tcp://".length);
    this.#writer = createFrameWriter(socket, lengthFraming);
    keepAlive(socket, this.#writer, heartbeatMs, true);
    socket.once("close", () => this.#onSettled?.());
  }

  /** Whether there is nobody to answer any more. */
  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  /** Counts one more message; returns its number. */
  next(): number {
    this.owed++;
    return ++this.#numbers;
  }

  /** The message with this number has been delivered. */
  accept(number: number): void {
    if (this.#first > 0 && number !== this.#last + 1) this.flush();
    if (this.#first === 0) this.#first = number;
    this.#last = number;
    this.#settleOne();
  }

  /** It never will be. */
  refuse(number: number, reason: string): void {
    this.#write({ refused: number, reason });
    this.#settleOne();
  }

  /** Resolves when the peer takes more; `undefined` when it does now. Rejects when it is gone. */
  drained(): Promise<void> | undefined {
    return this.#socket.writableNeedDrain ? this.#writer.drained() : undefined;
  }

  /** Resolves when every message has its answer, or there is nobody to tell. */
  settled(): Promise<void> {
    if (this.owed === 0 || this.#socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onSettled = resolve;
    });
  }

  flush(): void {
    this.#isFlushDue = false;
    if (this.#first > 0) this.#write({ accepted: [this.#first, this.#last] });
    this.#first = 0;
  }

  #settleOne() {
    if (--this.owed === 0) this.#onSettled?.();
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    process.nextTick(flush, this);
  }

  #write(reply: Reply) {
    if (this.#socket.writable) this.#writer.write(encodeReply(reply), this.owed <= 1);
  }
}

function flush(replies: Replies) {
  replies.flush();
}
