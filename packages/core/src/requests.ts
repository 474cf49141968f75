/**
 * Requests and their replies, matched by their order: many at once over one connection, bounded, each with its time, and
 * over a new connection when the old one is lost.
 *
 * @module
 */
import { checkDurations } from "./durations.ts";
import { checkBytes, DEFAULT_MAX_FRAME_BYTES, type Framing, lengthFraming } from "./framing.ts";
import type { Link } from "./requests/link.ts";
import { PendingRequests, REQUEST_BYTES, type Request } from "./requests/pending.ts";
import { whenAborted } from "./when-aborted.ts";
import { createFrameWriter, type FrameWriter } from "./write-frames.ts";

export { type Link, linkSocket } from "./requests/link.ts";

/** What bounds requests. */
export interface RequesterOptions {
  /** The longest message in bytes, in and out. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
  /**
   * How long a request may take, in ms, connecting included. Who says nothing for so long while it owes a reply is given
   * up: it is cut off, and what stood behind the request that waited rejects with `ECONNRESET`.
   * @default {5_000}
   */
  timeoutMs?: number | undefined;
  /** How much may be without a reply, in bytes: a request counts as its message and 64. @default {67_108_864} */
  maxInFlightBytes?: number | undefined;
  /** How long `close()` waits for the replies it is owed, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** Ends the waiting for the first connection. */
  signal?: AbortSignal | undefined;
}

/** Defaults of options left out. */
export const REQUESTER_DEFAULTS = {
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  timeoutMs: 5_000,
  maxInFlightBytes: 67_108_864,
  graceMs: 3_000,
} as const;

/** Options of a single request. */
export interface RequestOptions {
  /** Instead of the `timeoutMs` of all. */
  timeoutMs?: number | undefined;
  /** Ends the waiting for this reply. What was sent is sent. */
  signal?: AbortSignal | undefined;
}

/** Sends requests to somebody who answers each, in order. */
export interface Requester {
  /**
   * Sends a message and resolves with its reply. May be called many times at once; replies come in order. After a cut the
   * next request connects again; those on their way reject, since nobody knows whether they were done.
   *
   * The bytes of a message must not change until its reply is there; a reply is a view into what came: `slice()` what you
   * keep.
   *
   * @throws {Error} `ETIMEDOUT` no reply in time · `ECONNRESET` the connection was lost on the way · `ENOTCONN` there was
   *   none in time · `ENOBUFS` above `maxInFlightBytes` · `EPIPE` closed · what connecting failed with.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_DELIMITER`: nothing was sent; or the reply was too large.
   */
  request(message: Uint8Array, options?: RequestOptions): Promise<Uint8Array>;
  /** Lets the replies it is owed come, within `graceMs`, and ends the connection. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Whom to ask. */
export interface Target {
  /** What it is called in errors: a URL, a program. */
  name: string;
  /** How messages are kept apart. @default {lengthFraming} */
  framing?: Framing | undefined;
  /** Opens a way there: at first, and for the next request after it was lost. */
  open(signal: AbortSignal): Promise<Link>;
}

/**
 * Opens a way to `target` and sends requests over it.
 *
 * @throws {RangeError} when a limit or a duration is out of range.
 * @throws what `target.open()` rejects with.
 * @example
 * ```ts
 * import { createRequester, linkSocket } from "@ipc/core/requests";
 * import { connectTcp } from "@ipc/core/sockets";
 * import { startTcpServer } from "@ipc/core/tcp-server";
 *
 * const server = await startTcpServer({}, async (socket) => {
 *   for await (const chunk of socket) socket.write(chunk);
 * });
 * const { request, close } = await createRequester({
 *   name: server.url,
 *   open: async (signal) => linkSocket(await connectTcp(server.url, { signal })),
 * });
 * const replies = await Promise.all(["one", "two"].map((text) => request(new TextEncoder().encode(text))));
 * console.log(replies.map((reply) => new TextDecoder().decode(reply)));
 * await close();
 * await server.close();
 * ```
 * ```text
 * [ 'one', 'two' ]
 * ```
 */
export async function createRequester(target: Target, options: RequesterOptions = {}): Promise<Requester> {
  const { name, framing = lengthFraming, open } = target;
  const {
    maxFrameBytes = REQUESTER_DEFAULTS.maxFrameBytes,
    timeoutMs = REQUESTER_DEFAULTS.timeoutMs,
    maxInFlightBytes = REQUESTER_DEFAULTS.maxInFlightBytes,
    graceMs = REQUESTER_DEFAULTS.graceMs,
  } = options;
  checkDurations({ timeoutMs, graceMs });
  // What makes no sense is refused now, not when the first message goes out.
  framing.createDecoder({ maxFrameBytes });
  const closing = new AbortController();
  let link: (Link & { writer: FrameWriter }) | undefined;
  let opening: Promise<void> | undefined;
  let ended: Promise<void> | undefined;
  const pending = new PendingRequests(name, timeoutMs, (silentMs) => {
    if (link) cutOff(link, new Error(`${link.peer} said nothing for ${Math.round(silentMs)} ms`));
  });

  async function openLink(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const opened = await open(signal);
    const writer = createFrameWriter(opened.output, framing, { maxFrameBytes });
    const own = { ...opened, writer };
    const decoder = framing.createDecoder({ maxFrameBytes });
    // Not readFrames(): a reply is handed on at once, so there is no loop to wait for and nothing to hold back.
    own.input.on("data", (chunk: Uint8Array) => {
      if (link !== own) return;
      pending.hasHeard = true;
      try {
        for (const reply of decoder.decode(chunk)) pending.answer(reply);
        if (decoder.error) throw decoder.error;
      } catch (error) {
        cutOff(own, error as Error);
      }
    });
    ended = own.ended.then((error) => lose(own, error));
    link = own;
    pending.now = performance.now();
    pending.sendAll(writer);
  }

  function reopen(): void {
    opening ??= openLink(closing.signal)
      .finally(() => {
        // Before anybody is told: who asks again at once has to find the door open.
        opening = undefined;
      })
      .catch((error) => pending.failAll(error));
  }

  function cutOff(lost: Link, reason: Error): void {
    lose(lost, reason);
    lost.cutOff(reason);
  }

  function lose(lost: Link, reason: Error): void {
    if (link !== lost) return;
    link = undefined;
    pending.loseSent(reason);
    if (pending.first) reopen();
  }

  /** None while the connection is about to be lost: what comes now is for the next one. */
  function openWriter(): FrameWriter | undefined {
    return link?.output.destroyed ? undefined : link?.writer;
  }

  function check(message: Uint8Array, limitMs: number, signal: AbortSignal | undefined): void {
    if (closing.signal.aborted) throw closing.signal.reason;
    if (signal?.aborted) throw signal.reason;
    checkBytes(message);
    if (limitMs !== timeoutMs) checkDurations({ timeoutMs: limitMs });
    pending.checkRoom(message, maxInFlightBytes);
  }

  function request(message: Uint8Array, { timeoutMs: limitMs = timeoutMs, signal }: RequestOptions = {}) {
    return new Promise<Uint8Array>((resolve, reject) => {
      check(message, limitMs, signal);
      const writer = openWriter();
      if (!writer || writer.queuedBytes === 0) pending.now = performance.now();
      // As Nagle does (RFC 896): what finds nothing on its way goes at once, the rest waits for company.
      if (writer) writer.write(message, !pending.first);
      else framing.check(message, maxFrameBytes);
      const one: Request = {
        unsent: writer ? undefined : message,
        bytes: message.length + REQUEST_BYTES,
        deadline: pending.now + limitMs,
        isSettled: false,
        resolve,
        reject,
        forget: undefined,
        previous: undefined,
        next: undefined,
      };
      pending.push(one);
      if (signal) one.forget = whenAborted(signal, () => pending.fail(one, signal.reason));
      if (!link) reopen();
    });
  }

  let closed: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    closing.abort(Object.assign(new Error(`Cannot send message to ${name}: it is closed`), { code: "EPIPE" }));
    await opening;
    if (link) {
      const timer = setTimeout(link.cutOff, graceMs, new Error(`no reply came within ${graceMs} ms of close()`));
      await Promise.race([pending.drained(), ended]);
      clearTimeout(timer);
    }
    await link?.end();
    await ended;
  }
  const close = () => (closed ??= closeAll());

  await openLink(options.signal ?? closing.signal);
  return { request, close, [Symbol.asyncDispose]: close };
}
