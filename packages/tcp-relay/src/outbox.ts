import { randomBytes } from "node:crypto";
import { tell } from "@ipc/core/tell";
import type { Link, LinkEvent, Parcel } from "./link.ts";
import { checkWord, encodeMessage, MAX_HOPS } from "./protocol.ts";

/** What bounds an outbox. */
export interface OutboxOptions {
  /** The name of whoever sends. */
  name: string;
  /** What of our own may be on its way without an answer, in bytes. */
  windowBytes: number;
  maxFrameBytes: number;
  onEvent: ((event: LinkEvent) => void) | undefined;
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
export interface Outbox {
  /** Resolves when the message has been delivered. */
  send(body: unknown, options?: SendOptions): Promise<void>;
  /** Takes no more, and lets the answers come, within `graceMs` and while there is a connection. */
  close(graceMs: number): Promise<void>;
}

/** What a message counts for beside its frame: about what its entries here and there take. */
export const MESSAGE_BYTES = 512;

/** Sends our own messages over `link`. */
export function createOutbox(link: Link, { name, windowBytes, maxFrameBytes, onEvent }: OutboxOptions): Outbox {
  checkWord("name", name);
  // By chance, so that the ids of a program that starts again are others.
  const prefix = randomBytes(6).toString("hex");
  let sent = 0;
  let isClosed = false;
  let onWayBytes = 0;
  let lineBytes = 0;
  let first: OwnMessage | undefined;
  let last: OwnMessage | undefined;
  let onDrained: (() => void) | undefined;

  function enter(message: OwnMessage) {
    if (first === undefined && fits(message)) return start(message);
    if (last) last.behind = message;
    else first = message;
    last = message;
    lineBytes += message.bytes;
  }

  function fits({ bytes }: OwnMessage) {
    return onWayBytes === 0 || onWayBytes + bytes <= windowBytes;
  }

  function start(message: OwnMessage) {
    onWayBytes += message.bytes;
    link.send(message);
  }

  function leave({ bytes }: OwnMessage) {
    onWayBytes -= bytes;
    while (first && fits(first)) {
      const next = first;
      first = next.behind;
      if (!first) last = undefined;
      lineBytes -= next.bytes;
      start(next);
    }
    if (onWayBytes === 0) onDrained?.();
  }

  return {
    send(body, { id = `${++sent}-${prefix}` } = {}) {
      // What is thrown in here is a rejection.
      return new Promise((resolve, reject) => {
        if (isClosed) throw closedError("send message");
        checkWord("id", id);
        const message = { origin: name, id, hops: 1, body };
        const frame = encodeMessage(message, maxFrameBytes);
        if (lineBytes + frame.length + MESSAGE_BYTES > MAX_HOPS * windowBytes) throw tooMuch(lineBytes, windowBytes);
        tell(onEvent, { type: "sent", message });
        enter(new OwnMessage(id, frame, leave, resolve, reject));
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
  readonly bytes: number;
  readonly id: string;
  readonly frame: Uint8Array;
  readonly leave: (message: OwnMessage) => void;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;

  constructor(
    id: string,
    frame: Uint8Array,
    leave: (message: OwnMessage) => void,
    resolve: () => void,
    reject: (error: Error) => void,
  ) {
    this.id = id;
    this.frame = frame;
    this.bytes = frame.length + MESSAGE_BYTES;
    this.leave = leave;
    this.resolve = resolve;
    this.reject = reject;
  }

  accepted() {
    this.leave(this);
    this.resolve();
  }

  refused(reason: string) {
    this.leave(this);
    const text = `Cannot deliver message ${this.id}: ${reason}`;
    this.reject(Object.assign(new Error(text), { code: "ERR_REFUSED", id: this.id }));
  }

  abandoned() {
    this.leave(this);
    this.reject(closedError(`tell whether message ${this.id} was delivered`));
  }
}

function closedError(what: string): Error {
  return Object.assign(new Error(`Cannot ${what}: the connection was closed by us`), { code: "EPIPE" });
}

function tooMuch(lineBytes: number, windowBytes: number): Error {
  const limit = MAX_HOPS * windowBytes;
  const text = `Cannot send message: ${lineBytes} bytes wait in line, limit is ${limit}`;
  return Object.assign(new RangeError(text), { code: "ENOBUFS", lineBytes, limit });
}
