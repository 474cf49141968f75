import type { Socket } from "node:net";
import type { Framing } from "@ipc/core/framing";
import { endSocket } from "@ipc/core/sockets";
import { whenAborted } from "@ipc/core/when-aborted";
import { createFrameWriter } from "@ipc/core/write-frames";
import { Queue } from "./queue.ts";

/** What bounds a pipeline. */
export interface PipelineOptions {
  url: string;
  framing: Framing;
  maxFrameBytes: number;
  /** A server that says nothing for so long while it owes a reply is given up, in ms. */
  silenceMs: number;
}

/** Requests on their way over one connection: many at once, replies in the order of the requests. */
export interface Pipeline {
  /** Sends a request; settles with its reply, or rejects with `ETIMEDOUT`, `ECONNRESET` or the signal's reason. */
  send(message: Uint8Array, timeoutMs: number, signal: AbortSignal | undefined): Promise<Uint8Array>;
  /** Bytes of requests that have no reply yet, and 64 for each of them. */
  readonly inFlightBytes: number;
  readonly isOpen: boolean;
  /** Why it closed; resolves when it does. */
  readonly closed: Promise<Error>;
  /** Waits for the replies that are owed, at most `graceMs`, then ends the connection. */
  close(graceMs: number): Promise<void>;
}

interface Request {
  bytes: number;
  deadline: number;
  isSettled: boolean;
  resolve(reply: Uint8Array): void;
  reject(error: unknown): void;
}

/** Speaks requests and replies over a connected socket. */
export function createPipeline(socket: Socket, options: PipelineOptions): Pipeline {
  const { url, framing, maxFrameBytes, silenceMs } = options;
  const decoder = framing.createDecoder({ maxFrameBytes });
  const writer = createFrameWriter(socket, framing, { maxFrameBytes });
  const requests = new Queue<Request>();
  let inFlightBytes = 0;
  let now = 0;
  let isOpen = true;
  let timer: NodeJS.Timeout | undefined;
  let timerUntil = 0;
  let heardAt = 0;
  let hasHeard = false;
  let onEmpty: (() => void) | undefined;

  // Not readFrames(): a reply is handed on at once, so there is no loop to wait for and nothing to hold back.
  function onData(chunk: Uint8Array) {
    hasHeard = true;
    try {
      for (const reply of decoder.decode(chunk)) answer(reply);
      if (decoder.error) throw decoder.error;
    } catch (error) {
      socket.destroy(error as Error);
    }
  }

  function answer(reply: Uint8Array) {
    const request = requests.shift();
    if (!request) throw new Error("the server sent a reply that nobody asked for");
    inFlightBytes -= request.bytes;
    if (!request.isSettled) {
      request.isSettled = true;
      request.resolve(reply);
    }
    if (requests.size === 0) onEmpty?.();
  }

  function lose(cause: Error) {
    isOpen = false;
    clearTimeout(timer);
    // The reply that broke the framing is its own request's error; what stood behind it was only cut off.
    let error = "code" in cause && cause.code === "ERR_FRAME_TOO_LARGE" ? cause : resetError(url, cause);
    for (let request = requests.shift(); request; request = requests.shift()) {
      fail(request, error);
      error = resetError(url, cause);
    }
    inFlightBytes = 0;
    onEmpty?.();
  }

  const closed = new Promise<Error>((resolve) => {
    const ended = new Error("the server closed the connection");
    socket.on("end", () => {
      lose(ended);
      // No reply can follow; what is still to be sent would wait for ever at a server that does not read.
      socket.destroy();
    });
    socket.on("close", () => {
      lose(socket.errored ?? ended);
      resolve(socket.errored ?? ended);
    });
    socket.on("data", onData);
  });

  function armTimer(deadline: number) {
    if (timer && timerUntil <= deadline) return;
    clearTimeout(timer);
    timerUntil = deadline;
    // Timers run before what has come meanwhile is read: judged is after that.
    timer = setTimeout(() => setImmediate(expire), Math.max(deadline - now, 1)).unref();
  }

  /** One timer for all requests: one timer per request would cost more than the request. */
  function expire() {
    timer = undefined;
    if (!isOpen) return;
    // Timers count whole milliseconds of another clock, so they may come up to one early.
    now = performance.now() + 1;
    if (hasHeard) heardAt = now;
    hasHeard = false;
    let next = settleExpired();
    // Replies come in order: only for the first the server can be blamed, the others wait for it.
    const first = requests.peek();
    const isOverdue = first !== undefined && first.deadline <= now;
    if (isOverdue && now - heardAt >= silenceMs) return giveUp();
    if (isOverdue) next = Math.min(next, heardAt + silenceMs);
    // Not for each of many: those that end within a moment of each other are told together.
    if (next !== Number.POSITIVE_INFINITY) armTimer(Math.max(next, now + TOGETHER_MS));
  }

  /** Returns when the next one expires. */
  function settleExpired(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const request of requests) {
      if (request.deadline <= now) fail(request, timeoutError(url));
      else if (!request.isSettled) next = Math.min(next, request.deadline);
    }
    return next;
  }

  /** Half open, or stopped: without this every later request would run into the same silence. */
  function giveUp() {
    isOpen = false;
    socket.destroy(new Error(`the server said nothing for ${Math.round(now - heardAt)} ms`));
  }

  return {
    send(message, timeoutMs, signal) {
      return new Promise((resolve, reject) => {
        // The time is asked once a turn: it costs a tenth of a small request.
        if (writer.queuedBytes === 0) now = performance.now();
        // As Nagle does (RFC 896): what finds nothing on its way goes at once, the rest waits for company.
        writer.write(message, requests.size === 0);
        const bytes = message.length + REQUEST_BYTES;
        const request: Request = { bytes, deadline: now + timeoutMs, isSettled: false, resolve, reject };
        if (requests.size === 0) {
          heardAt = now;
          hasHeard = false;
        }
        requests.push(request);
        inFlightBytes += bytes;
        armTimer(request.deadline);
        if (signal) rejectOnAbort(request, signal);
      });
    },
    get inFlightBytes() {
      return inFlightBytes;
    },
    get isOpen() {
      return isOpen && !socket.destroyed;
    },
    closed,
    async close(graceMs) {
      if (requests.size > 0 && isOpen) {
        const reason = new Error(`no reply came within ${graceMs} ms of close()`);
        const cutOff = setTimeout(() => socket.destroy(reason), graceMs);
        await new Promise<void>((resolve) => {
          onEmpty = resolve;
        });
        clearTimeout(cutOff);
      }
      await endSocket(socket);
      await closed;
    },
  };
}

/** What a request counts for beside its message. */
export const REQUEST_BYTES = 64;

/** 10 ms: no clock by which people measure timeouts is finer. */
const TOGETHER_MS = 10;

function fail(request: Request, error: unknown) {
  if (request.isSettled) return;
  request.isSettled = true;
  request.reject(error);
}

/** An aborted request keeps its place: its reply will come and must not be taken for the next one's. */
function rejectOnAbort(request: Request, signal: AbortSignal) {
  const { resolve, reject } = request;
  const forget = whenAborted(signal, () => fail(request, signal.reason));
  request.resolve = (reply) => {
    forget();
    resolve(reply);
  };
  request.reject = (error) => {
    forget();
    reject(error);
  };
}

function timeoutError(url: string): Error {
  return Object.assign(new Error(`Cannot get reply from ${url}: none came in time`), { code: "ETIMEDOUT" });
}

function resetError(url: string, cause: Error): Error {
  const text = `Cannot get reply from ${url}: ${cause.message}`;
  return Object.assign(new Error(text, { cause }), { code: "ECONNRESET" });
}
