/**
 * Whole messages out of a socket, with backpressure. Nothing here hangs when either side goes away.
 *
 * @module
 */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { prematureClose } from "./closed-error.ts";
import type { FrameDecoder } from "./framing.ts";
import { whenAborted } from "./when-aborted.ts";

/** What bounds the reading of one connection. */
export interface ReadOptions {
  /** A frame that has begun must be whole within this time, in ms, or the peer is cut off; 0 is no limit. @default {0} */
  frameTimeoutMs?: number | undefined;
  /** A peer that neither sends nor takes anything for so long, in ms, is cut off; 0 is no limit. @default {0} */
  idleTimeoutMs?: number | undefined;
  /** Ends the reading between two batches: what is decoded is still delivered, more is not read. May serve many readers. */
  signal?: AbortSignal | undefined;
}

/**
 * The frames of a socket, as many at a time as one chunk completed: a promise a chunk is 4 to 10 times as fast as a
 * promise a frame. The socket is paused while the loop's body is busy, so a slow reader slows the peer.
 *
 * Leaving the loop leaves the socket open; whoever owns it ends it ({@link endSocket}).
 *
 * @throws {FrameError} what the decoder finds, after the whole frames before it.
 * @throws {Error} `ETIMEDOUT` for a frame or a peer that took too long; what the socket failed with (`ECONNRESET`);
 *   `ERR_STREAM_PREMATURE_CLOSE` when our own side destroyed it.
 * @example
 * ```ts
 * import { PassThrough } from "node:stream";
 * import { lineFraming } from "@ipc/core/framing";
 * import { readFrames } from "@ipc/core/read-frames";
 *
 * const stream = new PassThrough();
 * stream.end("one\ntwo\n");
 * for await (const frames of readFrames(stream, lineFraming.createDecoder())) {
 *   for (const frame of frames) console.log(new TextDecoder().decode(frame));
 * }
 * ```
 * ```text
 * one
 * two
 * ```
 */
export function readFrames(
  socket: Duplex,
  decoder: FrameDecoder,
  options: ReadOptions = {},
): AsyncIterableIterator<Uint8Array[]> {
  return new FrameReader(socket, decoder, options);
}

type Batch = IteratorResult<Uint8Array[], undefined>;
const DONE: Batch = { value: undefined, done: true };

/** A class for the sake of memory: a server has one for each of ten thousand connections. */
class FrameReader implements AsyncIterableIterator<Uint8Array[]> {
  readonly #socket: Duplex;
  readonly #decoder: FrameDecoder;
  readonly #options: ReadOptions;
  #ready: Uint8Array[] = [];
  #resolve: ((batch: Batch) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;
  #end: { error?: Error } | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #isDeadlineRunning = false;
  #deadlines = 0;
  #forgetSignal: (() => void) | undefined;
  #hasIdlePassed = false;

  constructor(socket: Duplex, decoder: FrameDecoder, options: ReadOptions) {
    this.#socket = socket;
    this.#decoder = decoder;
    this.#options = options;
    const { idleTimeoutMs = 0, signal } = options;
    socket.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#finish).on("close", this.#onClose);
    if (idleTimeoutMs > 0 && socket instanceof Socket) socket.setTimeout(idleTimeoutMs).on("timeout", this.#onIdle);
    if (signal) this.#forgetSignal = whenAborted(signal, () => this.#finish());
    if (signal?.aborted) this.#finish();
    else if (socket.closed) this.#onClose();
    else if (socket.readableEnded) this.#onEnd();
  }

  next(): Promise<Batch> {
    if (this.#ready.length > 0) {
      const value = this.#ready;
      this.#ready = [];
      return Promise.resolve({ value, done: false });
    }
    if (this.#end) {
      const { error } = this.#end;
      // Said once: a loop that goes on after an error finds the end.
      this.#end = {};
      return error ? Promise.reject(error) : Promise.resolve(DONE);
    }
    if (this.#hasIdlePassed && this.#socket instanceof Socket) {
      // Node's timer fires once: having been excused it has to be started again.
      this.#hasIdlePassed = false;
      this.#socket.setTimeout(this.#options.idleTimeoutMs ?? 0);
    }
    if (this.#socket.isPaused()) {
      this.#socket.resume();
      if (this.#isDeadlineRunning) this.#startDeadline();
    }
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  return(): Promise<Batch> {
    this.#finish();
    this.#socket.off("timeout", this.#onIdle);
    this.#ready = [];
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #onData = (chunk: Uint8Array) => {
    let frames: Uint8Array[];
    try {
      frames = this.#decoder.decode(chunk);
    } catch (error) {
      return this.#finish(error as Error);
    }
    if (!this.#decoder.isInsideFrame) this.#isDeadlineRunning = false;
    else if (frames.length > 0 || !this.#isDeadlineRunning) this.#startDeadline();
    if (frames.length > 0) this.#deliver(frames);
    if (this.#decoder.error) this.#finish(this.#decoder.error);
  };

  #deliver(frames: Uint8Array[]) {
    if (this.#resolve) {
      this.#resolve({ value: frames, done: false });
      this.#resolve = undefined;
    } else {
      this.#ready = this.#ready.length === 0 ? frames : this.#ready.concat(frames);
      this.#socket.pause();
    }
  }

  readonly #onEnd = () => {
    try {
      this.#decoder.end();
      this.#finish();
    } catch (error) {
      this.#finish(error as Error);
    }
  };

  readonly #onClose = () => {
    this.#finish(this.#socket.errored ?? prematureClose("read"));
  };

  /** The socket's own timer sees both directions; who is to blame is known here. */
  readonly #onIdle = () => {
    const { bytesRead } = this.#socket as Socket;
    // Timers run before what has come meanwhile is read: a busy event loop of ours is no silence of the peer's.
    setImmediate(() => {
      if ((this.#socket as Socket).bytesRead === bytesRead) this.#judgeIdle();
    });
  };

  #judgeIdle() {
    const isBusy = this.#resolve === undefined;
    if (isBusy && !this.#socket.writableNeedDrain) {
      this.#hasIdlePassed = true;
      return;
    }
    const { idleTimeoutMs } = this.#options;
    const text = `Cannot keep connection: nothing moved for ${idleTimeoutMs} ms`;
    this.#socket.destroy(Object.assign(new Error(text), { code: "ETIMEDOUT", idleTimeoutMs }));
  }

  /** One timer a connection, started again with every frame that begins: that is cheap, a new one is not. */
  #startDeadline() {
    const { frameTimeoutMs = 0 } = this.#options;
    if (frameTimeoutMs <= 0) return;
    this.#isDeadlineRunning = true;
    this.#deadlines++;
    this.#deadline = this.#deadline?.refresh() ?? setTimeout(() => this.#onDeadline(), frameTimeoutMs).unref();
  }

  #onDeadline() {
    const deadline = this.#deadlines;
    // As with silence: what has come meanwhile is read first.
    setImmediate(() => {
      if (!this.#isDeadlineRunning || this.#deadlines !== deadline || this.#end) return;
      // While the loop's body is busy the peer cannot be blamed.
      if (this.#socket.isPaused()) return this.#startDeadline();
      const { frameTimeoutMs } = this.#options;
      const text = `Cannot read frame: it was not whole after ${frameTimeoutMs} ms`;
      this.#socket.destroy(Object.assign(new Error(text), { code: "ETIMEDOUT", frameTimeoutMs }));
    });
  }

  readonly #finish = (error?: Error) => {
    if (this.#end) return;
    this.#end = error ? { error } : {};
    clearTimeout(this.#deadline);
    this.#socket
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("error", this.#finish)
      .off("close", this.#onClose)
      .pause();
    // The timer stays: a peer that has sent all and takes no replies is found by it.
    this.#forgetSignal?.();
    if (!this.#resolve) return;
    this.#end = {};
    if (error) this.#reject?.(error);
    else this.#resolve(DONE);
    this.#resolve = undefined;
  };
}
