import type { Duplex } from "node:stream";
import { checkDurations } from "@ipc/core/durations";
import { checkBytes, DEFAULT_MAX_FRAME_BYTES, lengthFraming } from "@ipc/core/framing";
import { createFrameWriter, type FrameWriter } from "@ipc/core/write-frames";
import { type Request, RequestQueue } from "./request-queue.ts";

/** What bounds requests. */
export interface RequestOptions {
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /**
   * How long a request may take, in ms, connecting included. Who says nothing for so long while it owes a reply is given
   * up: the connection is cut off, a child is killed.
   * @default {5_000}
   */
  timeoutMs?: number | undefined;
  /** How much may be on its way without a reply, in bytes: a request counts as its message and 64. @default {67_108_864} */
  maxInFlightBytes?: number | undefined;
  /** How long `close()` waits for the replies it is owed, in ms. @default {3_000} */
  graceMs?: number | undefined;
}

/** Defaults of options left out. */
export const REQUEST_DEFAULTS = {
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  timeoutMs: 5_000,
  maxInFlightBytes: 67_108_864,
  graceMs: 3_000,
} as const;

/** Sends requests to somebody who answers each, in order. */
export interface Requester {
  /**
   * Sends a message and resolves with its reply. May be called many times at once. After a cut the next request connects
   * again; those on their way reject, since nobody knows whether they were done.
   *
   * The bytes of a message must not change until its reply is there; a reply is a view: `slice()` what you keep.
   *
   * @throws {Error} `ETIMEDOUT` no reply in time · `ECONNRESET` the other side was lost on the way · `ENOTCONN` there was
   *   none in time · `ENOBUFS` above `maxInFlightBytes` · `EPIPE` closed · what connecting failed with.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE`: nothing was sent; or the reply was too large.
   */
  request(message: Uint8Array): Promise<Uint8Array>;
  /** Lets the replies it is owed come, within `graceMs`, and ends the connection. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A way to the other side and back, while it lasts. */
export interface Link {
  input: Duplex;
  output: Duplex;
  /** Resolves with the reason when it is over. */
  ended: Promise<Error>;
  /** Ends it in order. */
  end(): Promise<void>;
  /** Ends it at once. */
  cutOff(reason: Error): void;
}

/**
 * Requests and replies over whatever `open` opens: many at once, replies in order. It is opened at first, and again by
 * the next request after it was lost.
 *
 * @param name What is talked to, for texts.
 * @throws what `open` rejects with.
 */
export async function createRequester(
  name: string,
  options: RequestOptions & { signal?: AbortSignal | undefined },
  open: (closing: AbortSignal) => Promise<Link>,
): Promise<Requester> {
  const { maxFrameBytes, timeoutMs, maxInFlightBytes, graceMs } = checkOptions(options);
  const closing = new AbortController();
  const waiting = new RequestQueue(name);
  const sent = new RequestQueue(name);
  let link: Link | undefined;
  let writer: FrameWriter | undefined;
  let opening: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let heardAt = 0;

  async function openLink(signal: AbortSignal) {
    const opened = await open(signal);
    link = opened;
    const decoder = lengthFraming.createDecoder({ maxFrameBytes });
    writer = createFrameWriter(opened.output, lengthFraming, { maxFrameBytes });
    opened.input.on("data", (chunk: Uint8Array) => {
      heardAt = performance.now();
      try {
        for (const reply of decoder.decode(chunk)) sent.answer(reply);
        if (decoder.error) throw decoder.error;
      } catch (error) {
        lose(opened, error as Error);
        opened.cutOff(error as Error);
      }
    });
    void opened.ended.then((error) => lose(opened, error));
    for (let request = waiting.shift(); request; request = waiting.shift()) send(request);
    if (closing.signal.aborted) await opened.end();
  }

  function lose(lost: Link, reason: Error) {
    if (link !== lost) return;
    link = undefined;
    sent.rejectAll(reason);
  }

  function reopen() {
    opening ??= openLink(closing.signal).then(
      () => {
        opening = undefined;
      },
      (error) => {
        // First: who hears of it may ask again at once.
        opening = undefined;
        waiting.rejectAll(error, true);
      },
    );
  }

  function send(request: Request) {
    if (request.isSettled) return;
    if (sent.size === 0) heardAt = performance.now();
    sent.push(request);
    try {
      // As Nagle does (RFC 896): what finds nothing on its way goes at once, the rest waits for company.
      writer?.write(request.message, sent.size === 1);
    } catch {
      // It is closed already: that it was lost is about to be told.
    }
  }

  function request(message: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (closing.signal.aborted) throw closing.signal.reason;
      checkBytes(message);
      lengthFraming.check(message, maxFrameBytes);
      const inFlightBytes = waiting.bytes + sent.bytes;
      if (inFlightBytes + message.length > maxInFlightBytes) throw tooMuch(message, inFlightBytes, maxInFlightBytes);
      const one = { message, deadline: performance.now() + timeoutMs, isSettled: false, resolve, reject };
      if (!timer) armTimer(timeoutMs);
      if (link) return send(one);
      waiting.push(one);
      reopen();
    });
  }

  function armTimer(ms: number) {
    // Timers run before what has come meanwhile is read: judged is after that.
    timer = setTimeout(setImmediate, Math.max(ms, 1), expire).unref();
  }

  function expire() {
    const now = performance.now();
    const next = Math.min(sent.expire(now, "ETIMEDOUT"), waiting.expire(now, "ENOTCONN"));
    // Later requests may still be in time, but nobody is there any more to answer them.
    const silentMs = now - heardAt;
    if (link && sent.isOverdue && silentMs >= timeoutMs) {
      const lost = link;
      lose(lost, new Error(`it said nothing for ${Math.round(silentMs)} ms`));
      lost.cutOff(new Error("silent"));
    }
    const again = sent.isOverdue ? Math.min(next, heardAt + timeoutMs) : next;
    timer = undefined;
    if (again !== Number.POSITIVE_INFINITY) armTimer(again - now);
  }

  let closed: Promise<void> | undefined;
  async function closeAll() {
    closing.abort(Object.assign(new Error(`Cannot send message to ${name}: it is closed`), { code: "EPIPE" }));
    await opening;
    if (!link) return;
    const { end, ended, cutOff } = link;
    const cut = setTimeout(cutOff, graceMs, new Error(`no reply came within ${graceMs} ms of close()`));
    await Promise.race([sent.drained(), ended]);
    clearTimeout(cut);
    await end();
    await ended;
  }
  const close = () => (closed ??= closeAll());

  await openLink(options.signal ?? closing.signal);
  return { request, close, [Symbol.asyncDispose]: close };
}

function checkOptions(options: RequestOptions) {
  const {
    maxFrameBytes = REQUEST_DEFAULTS.maxFrameBytes,
    timeoutMs = REQUEST_DEFAULTS.timeoutMs,
    maxInFlightBytes = REQUEST_DEFAULTS.maxInFlightBytes,
    graceMs = REQUEST_DEFAULTS.graceMs,
  } = options;
  checkDurations({ timeoutMs, graceMs });
  lengthFraming.createDecoder({ maxFrameBytes });
  return { maxFrameBytes, timeoutMs, maxInFlightBytes, graceMs };
}

function tooMuch({ length }: Uint8Array, inFlightBytes: number, maxInFlightBytes: number): Error {
  const text = `Cannot send message of ${length} bytes: ${inFlightBytes} bytes wait for replies, limit is ${maxInFlightBytes}`;
  return Object.assign(new RangeError(text), {
    code: "ENOBUFS",
    messageBytes: length,
    inFlightBytes,
    maxInFlightBytes,
  });
}
