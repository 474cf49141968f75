import { randomBytes } from "node:crypto";
import { tell } from "@ipc/core/tell";
import type { Link, LinkEvent, Parcel } from "./link.ts";
import type { Limits } from "./peer-options.ts";
import { checkWord, encodeMessage, MAX_HOPS } from "./protocol.ts";

/** What can send messages of its own. */
export interface Sender {
  /**
   * Sends a message round, or down the line, to whoever delivers it. After a cut it is sent again, for as long as it
   * takes.
   *
   * @param body Any JSON.
   * @returns Resolves when it has been delivered: back here in a ring, at the end of a line.
   * @throws {Error} `ERR_REFUSED` nobody takes it, and why · `ENOBUFS` too much waits in line · `EPIPE` we are closed.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE`: nothing was sent.
   */
  send(body: unknown, options?: SendOptions): Promise<void>;
}

/** Options of a single message. */
export interface SendOptions {
  /**
   * What names it among all messages of this origin: 1 to 64 letters, digits, `.`, `_`, `:` and `-`. Whoever sends the
   * same again, after a crash, gives it the same id.
   * @default {one that nobody else has}
   */
  id?: string | undefined;
}

/** Our own messages: a window of them on their way, the others in line behind it. */
export interface Outbox extends Sender {
  /** Takes no more, and lets the answers come, within `graceMs` and while there is a connection. */
  close(graceMs: number): Promise<void>;
}

/** What a message counts for beside its frame: about what its entries here and there take. */
export const MESSAGE_BYTES = 512;

/** Sends our own messages over `link`. */
export function createOutbox(
  link: Link,
  { name, windowBytes, maxFrameBytes }: Limits,
  onEvent: ((event: LinkEvent) => void) | undefined,
): Outbox {
  // By chance, so that the ids of a program that starts again are others.
  const run = randomBytes(6).toString("hex");
  const limit = MAX_HOPS * windowBytes;
  let sent = 0;
  let isClosed = false;
  let onWayBytes = 0;
  let lineBytes = 0;
  let first: OwnMessage | undefined;
  let last: OwnMessage | undefined;
  let onDrained: (() => void) | undefined;

  function enter(message: OwnMessage) {
    lineBytes += message.bytes;
    if (last) last.behind = message;
    else first = message;
    last = message;
    moveUp();
  }

  function moveUp() {
    while (first && (onWayBytes === 0 || onWayBytes + first.bytes <= windowBytes)) {
      const message = first;
      first = message.behind;
      if (!first) last = undefined;
      message.behind = undefined;
      lineBytes -= message.bytes;
      onWayBytes += message.bytes;
      link.send(message);
    }
  }

  function leave(bytes: number) {
    onWayBytes -= bytes;
    moveUp();
    if (onWayBytes === 0) onDrained?.();
  }

  return {
    send(body, options) {
      // What is thrown in here is a rejection.
      return new Promise((resolve, reject) => {
        if (isClosed) throw closedError("send message");
        const id = options?.id ?? `${++sent}-${run}`;
        if (options) checkWord("id", id);
        const message = { origin: name, id, hops: 1, body };
        const frame = encodeMessage(message, maxFrameBytes);
        const own = new OwnMessage(id, frame, leave, resolve, reject);
        if (lineBytes + own.bytes > limit) throw tooMuch(lineBytes, limit);
        tell(onEvent, { type: "sent", message });
        enter(own);
      });
    },
    async close(graceMs) {
      isClosed = true;
      for (let message = first; message; message = message.behind) message.reject(closedError("send message"));
      first = undefined;
      if (onWayBytes === 0 || !link.isConnected) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        onDrained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
  };
}

class OwnMessage implements Parcel {
  /** The next one in line. */
  behind: OwnMessage | undefined;
  readonly id: string;
  readonly frame: Uint8Array;
  readonly bytes: number;
  readonly leave: (bytes: number) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;

  constructor(
    id: string,
    frame: Uint8Array,
    leave: OwnMessage["leave"],
    resolve: () => void,
    reject: OwnMessage["reject"],
  ) {
    this.id = id;
    this.frame = frame;
    this.bytes = frame.length + MESSAGE_BYTES;
    this.leave = leave;
    this.resolve = resolve;
    this.reject = reject;
  }

  accepted() {
    this.leave(this.bytes);
    this.resolve();
  }

  refused(reason: string) {
    this.leave(this.bytes);
    const text = `Cannot deliver message ${this.id}: ${reason}`;
    this.reject(Object.assign(new Error(text), { code: "ERR_REFUSED", id: this.id }));
  }

  abandoned() {
    this.leave(this.bytes);
    this.reject(closedError(`tell whether message ${this.id} was delivered`));
  }
}

function closedError(what: string): Error {
  return Object.assign(new Error(`Cannot ${what}: the connection was closed by us`), { code: "EPIPE" });
}

function tooMuch(lineBytes: number, limit: number): Error {
  const text = `Cannot send message: ${lineBytes} bytes wait in line, limit is ${limit}`;
  return Object.assign(new RangeError(text), { code: "ENOBUFS", lineBytes, limit });
}
