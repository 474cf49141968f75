import { Socket } from "node:net";
import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS, retry } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { formatPath } from "@ipc/core/url";
import { parseFifo } from "./fifo.ts";
import { openForWriting } from "./fifo-file.ts";
import { encodeLine, MAX_LINE_BYTES } from "./fifo-lines.ts";

/** Options of {@link openFifoWriter}. */
export interface FifoWriterOptions {
  /** How long to wait for a reader that is not there yet, in ms; 0 tries once. @default {10_000} */
  waitMs?: number | undefined;
  /** How long a line may wait for room in the FIFO, or for a reader to come back, in ms. @default {5_000} */
  timeoutMs?: number | undefined;
  /** How many bytes of lines may wait. @default {1_048_576} */
  maxInFlightBytes?: number | undefined;
  /** How long `close()` waits for lines that wait, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** Ends the waiting in `openFifoWriter()`. */
  signal?: AbortSignal | undefined;
  /** What happens, for a log: nobody reads yet, or any more. What it throws is shown as a warning. */
  onEvent?: ((event: { type: "waiting"; url: string; error: Error }) => void) | undefined;
}

/** Defaults of options left out. */
export const FIFO_WRITER_DEFAULTS = {
  waitMs: DEFAULT_WAIT_MS,
  timeoutMs: 5_000,
  maxInFlightBytes: 1_048_576,
  graceMs: 3_000,
} as const;

/** The writing end. */
export interface FifoWriter {
  readonly url: string;
  /**
   * Writes a line, whole, however many others write. Resolves when it is in the FIFO: not when it is read, which nobody
   * learns. What is in the FIFO is lost when its reader dies.
   *
   * @throws {Error} `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_DELIMITER` (a newline) · `ETIMEDOUT` no room in time · `ENXIO`
   *   nobody reads any more · `ENOBUFS` above `maxInFlightBytes` · `EPIPE` closed. It was not written.
   */
  send(text: string): Promise<void>;
  /** Lets the lines that wait go, within `graceMs`. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Waiting {
  line: Uint8Array;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Opens a FIFO that a reader has made; waits for one that is not there yet.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ENOENT`, `ENXIO` when nobody reads it within `waitMs`; `EACCES`, `ERR_NO_FIFO` at once.
 */
export async function openFifoWriter(url: string, options: FifoWriterOptions = {}): Promise<FifoWriter> {
  const {
    waitMs = FIFO_WRITER_DEFAULTS.waitMs,
    timeoutMs = FIFO_WRITER_DEFAULTS.timeoutMs,
    maxInFlightBytes = FIFO_WRITER_DEFAULTS.maxInFlightBytes,
    graceMs = FIFO_WRITER_DEFAULTS.graceMs,
  } = options;
  checkDurations({ waitMs, timeoutMs, graceMs });
  const path = parseFifo(url);
  const closing = new AbortController();
  let waiting: Waiting[] = [];
  let inFlightBytes = 0;
  let isWriting = false;
  let writing: Promise<void> | undefined;

  async function open(ms: number, signal: AbortSignal): Promise<Socket> {
    const onWaiting = (error: Error) => {
      // To wait would not help: retry() ends with what this throws.
      if (!("code" in error && (error.code === "ENXIO" || error.code === "ENOENT"))) throw error;
      tell(options.onEvent, { type: "waiting", url, error });
    };
    const fd = await retry(() => tryOpen(path, url), { waitMs: ms, signal, onWaiting });
    const socket = new Socket({ fd, readable: false, writable: true });
    // Each write reports it too.
    return socket.on("error", () => {});
  }

  let socket = await open(waitMs, options.signal ?? closing.signal);

  /** One piece at a time, none longer than the system takes whole. */
  async function writeAll() {
    isWriting = true;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, countFitting(waiting));
      try {
        await writeWhole(Buffer.concat(batch.map(({ line }) => line)));
        for (const { line, resolve } of batch) {
          inFlightBytes -= line.length;
          resolve();
        }
      } catch (error) {
        for (const { reject } of [...batch, ...waiting]) reject(error);
        waiting = [];
        inFlightBytes = 0;
      }
    }
    isWriting = false;
  }

  async function writeWhole(piece: Uint8Array) {
    for (;;) {
      if (socket.destroyed) socket = await open(timeoutMs, closing.signal);
      const error = await write(socket, piece, timeoutMs);
      if (!error) return;
      // The reader is gone and has taken nothing of it: the next one gets it.
      if (!("code" in error && error.code === "EPIPE")) throw error;
      socket.destroy();
    }
  }

  let isClosed = false;
  let closed: Promise<void> | undefined;
  async function closeAll() {
    isClosed = true;
    const timer = setTimeout(() => {
      closing.abort(closedError(url));
      socket.destroy(closedError(url));
    }, graceMs);
    await writing;
    clearTimeout(timer);
    socket.destroy();
  }
  const close = () => (closed ??= closeAll());
  return {
    url: formatPath("fifo", path),
    send: (text) =>
      new Promise((resolve, reject) => {
        if (isClosed) throw closedError(url);
        const line = encodeLine(text);
        if (inFlightBytes + line.length > maxInFlightBytes) throw tooMuch(line.length, inFlightBytes, maxInFlightBytes);
        inFlightBytes += line.length;
        waiting.push({ line, resolve, reject });
        if (!isWriting) writing = writeAll();
      }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** How many lines go in one piece. */
function countFitting(waiting: readonly Waiting[]): number {
  let bytes = 0;
  const tooMany = waiting.findIndex(({ line }) => {
    bytes += line.length;
    return bytes > MAX_LINE_BYTES + 1;
  });
  return tooMany === -1 ? waiting.length : tooMany;
}

function write(socket: Socket, piece: Uint8Array, timeoutMs: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const error = Object.assign(new Error(`Cannot write line: there was no room within ${timeoutMs} ms`), {
      code: "ETIMEDOUT",
    });
    const timer = setTimeout(() => socket.destroy(error), timeoutMs);
    socket.write(piece, (failure) => {
      clearTimeout(timer);
      // Node calls back without an error for a write that was cut off.
      resolve(failure ?? socket.errored ?? undefined);
    });
  });
}

async function tryOpen(path: string, url: string): Promise<number> {
  try {
    return await openForWriting(path);
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    throw Object.assign(new Error(`Cannot write to ${url}: ${REASONS[code] ?? message}`, { cause }), { code });
  }
}

const REASONS: Record<string, string> = {
  ENXIO: "nobody reads it",
  ENOENT: "there is no such FIFO",
  EACCES: "permission denied",
};

function closedError(url: string): Error {
  return Object.assign(new Error(`Cannot write to ${url}: the writer is closed`), { code: "EPIPE" });
}

function tooMuch(messageBytes: number, inFlightBytes: number, maxInFlightBytes: number): Error {
  const text = `Cannot write line of ${messageBytes} bytes: ${inFlightBytes} bytes wait, limit is ${maxInFlightBytes}`;
  return Object.assign(new RangeError(text), { code: "ENOBUFS", messageBytes, inFlightBytes, maxInFlightBytes });
}
