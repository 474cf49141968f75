/**
 * Many small messages in one ZeroMQ message: handing a message to libzmq and taking it from there costs 2 to 3 µs, whatever
 * its size, and that is all there is to save.
 *
 * @module
 */
import { lengthFraming } from "@ipc/core/framing";
import type { Push } from "zeromq";
import { checkFrame } from "./reply.ts";

/** What stands in front of a pack: a message of two frames is one, a message of one frame is not. */
const MARK = Buffer.from("pack");

/** 64 KiB: as many 64-byte messages as pay; more only costs memory for each peer, times the high-water mark. */
const PACK_BYTES = 65_536;

/** 4 KiB: from here on a copy costs more than a message of its own. */
const LARGE_BYTES = 4_096;

/** Takes a message apart into what was sent. Views: `slice()` what you keep. */
export function unpack(frames: Uint8Array[], maxFrameBytes: number): Uint8Array[] {
  const [mark, pack] = frames;
  if (!pack) return frames;
  if (frames.length > 2 || !MARK.equals(mark ?? MARK)) {
    const text = `Cannot read message of ${frames.length} frames: it must be one, or a pack`;
    throw Object.assign(new TypeError(text), { code: "ERR_MESSAGE" });
  }
  const decoder = lengthFraming.createDecoder({ maxFrameBytes });
  const messages = decoder.decode(pack);
  decoder.end();
  return messages;
}

/**
 * Sends through a PUSH socket. zeromq takes one `send()` at a time and throws EBUSY at a second one that comes while the
 * first waits for room; here they queue up.
 */
export class Sender {
  readonly #socket: Push;
  readonly #maxFrameBytes: number;
  readonly #packBytes: number;
  #last: Promise<void> = Promise.resolve();
  #queued = 0;
  /** What is packed lies between these two. */
  #pack = NOTHING;
  #start = 0;
  #end = 0;
  #packsUnderWay = 0;
  #isClosed = false;

  constructor(socket: Push, { isPacked, maxFrameBytes }: { isPacked: boolean; maxFrameBytes: number }) {
    this.#socket = socket;
    this.#maxFrameBytes = maxFrameBytes;
    this.#packBytes = isPacked ? Math.min(PACK_BYTES, maxFrameBytes) : 0;
  }

  /**
   * Sends a message; its bytes must not change afterwards. Await what it returns, if anything: that is the backpressure.
   *
   * @throws {RangeError} `ERR_FRAME_TOO_LARGE`. What it returns rejects with `EPIPE` when it is closed.
   */
  send(message: Uint8Array): Promise<void> | undefined {
    checkFrame(message, this.#maxFrameBytes);
    if (this.#isClosed) return Promise.reject(Object.assign(new Error("Cannot send: it is closed"), { code: "EPIPE" }));
    if (this.#packBytes === 0) return this.#hand(message);
    const bytes = lengthFraming.headerBytes + message.length;
    if (bytes > this.#packBytes || bytes > LARGE_BYTES) {
      this.flush();
      return this.#hand(message);
    }
    if (this.#end + bytes > this.#pack.length) {
      this.flush();
      this.#pack = Buffer.allocUnsafeSlow(this.#packBytes);
      this.#start = this.#end = 0;
    }
    if (this.#end === this.#start) setImmediate(flushLater, this);
    const offset = lengthFraming.writeHeader(this.#pack, this.#end, message.length);
    this.#pack.set(message, offset);
    this.#end = offset + message.length;
    return this.#packsUnderWay > 0 ? this.#last : undefined;
  }

  /** Takes no more, sends what is packed, and resolves when ZeroMQ has taken all that was sent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.flush();
    await this.#last;
  }

  /** Sends what is packed. */
  flush(): void {
    if (this.#end === this.#start) return;
    // libzmq keeps the bytes until they are sent: the next pack goes behind this one, or into a buffer of its own.
    const pack = this.#pack.subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#packsUnderWay++;
    const done = () => void this.#packsUnderWay--;
    this.#hand([MARK, pack]).then(done, done);
  }

  #hand(frames: Uint8Array | Uint8Array[]): Promise<void> {
    if (this.#queued === 0) {
      try {
        this.#last = this.#socket.send(frames);
        return this.#last;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY") return Promise.reject(error);
      }
    }
    this.#queued++;
    const next = () => {
      this.#queued--;
      return this.#socket.send(frames);
    };
    this.#last = this.#last.then(next, next);
    return this.#last;
  }
}

const NOTHING = Buffer.alloc(0);

function flushLater(sender: Sender): void {
  sender.flush();
}
