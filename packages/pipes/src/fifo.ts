import { randomUUID } from "node:crypto";
import { Socket } from "node:net";
import { checkDurations } from "@ipc/core/durations";
import { tell } from "@ipc/core/tell";
import { formatPath, parsePath } from "@ipc/core/url";
import { openForReading } from "./fifo-file.ts";
import { createLineSplitter } from "./fifo-lines.ts";

/** Options of {@link startFifoReader}. */
export interface FifoReaderOptions {
  /** Such as `fifo:/tmp/log.fifo`. */
  url: string;
  /** How long `close()` waits until what is in the FIFO has been taken, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: FifoReaderEvent) => void) | undefined;
}

/** What a reader tells: lines that were none, too long or no UTF-8. Nobody knows who wrote them. */
export interface FifoReaderEvent {
  type: "dropped";
  /** What was wrong with the first of them. */
  error: Error;
  /** How many came at once: a flood of them is to be no flood in the log. */
  lines: number;
}

/** The reading end: `for await (const line of reader)`. Reading slowly slows the writers. */
export interface FifoReader extends AsyncIterable<string> {
  readonly url: string;
  /** Lets what is in the FIFO come within `graceMs`, then ends the loop. The FIFO stays. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Reads lines that other programs write into a FIFO. Makes it where there is none; only its owner may use it (0600).
 * Many may write, one may read. It goes one way: nobody gets an answer.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `EADDRINUSE`: somebody reads it; `ERR_NO_FIFO`: what is there is something else; `ENOENT`: no such
 *   folder; `ENOTSUP` on Windows, which has none.
 */
export async function startFifoReader({ url, graceMs = 3_000, onEvent }: FifoReaderOptions): Promise<FifoReader> {
  checkDurations({ graceMs });
  const path = parseFifo(url);
  const fd = await openForReading(path).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === "ENOENT" && cause.syscall === "mkdtemp" ? "there is no such folder" : cause.message;
    throw Object.assign(new Error(`Cannot read ${url}: ${why}`, { cause }), { code: cause.code });
  });
  // Not a file stream: that would read in a thread, which waits, and which nobody can stop.
  const socket = new Socket({ fd, readable: true, writable: true });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  const endMark = `end ${randomUUID()}`;

  let closing: Promise<void> | undefined;
  async function closeAll() {
    // Behind all that is on its way: when it comes, everything has come.
    if (!socket.destroyed) socket.write(`${endMark}\n`);
    const timer = setTimeout(() => socket.destroy(), graceMs);
    await closed;
    clearTimeout(timer);
  }
  const close = () => (closing ??= closeAll());
  return {
    url: formatPath("fifo", path),
    close,
    [Symbol.asyncDispose]: close,
    [Symbol.asyncIterator]: () => readLines(socket, endMark, onEvent),
  };
}

async function* readLines(
  socket: Socket,
  endMark: string,
  onEvent: FifoReaderOptions["onEvent"],
): AsyncGenerator<string, void> {
  const split = createLineSplitter();
  try {
    for await (const chunk of socket) {
      const lines = split(chunk);
      const errors = lines.flatMap((line) => ("error" in line ? [line.error] : []));
      if (errors[0]) tell(onEvent, { type: "dropped", error: errors[0], lines: errors.length });
      for (const line of lines) {
        if ("error" in line) continue;
        if (!line.text.endsWith(endMark)) yield line.text;
        else return tellHalf(line.text.length - endMark.length, onEvent);
      }
    }
  } catch (error) {
    // Cut off by close().
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}

/** A line without its end was in front of the mark. */
function tellHalf(length: number, onEvent: FifoReaderOptions["onEvent"]): void {
  if (length === 0) return;
  const error = new Error(`Cannot read line: it had no end after ${length} characters`);
  tell(onEvent, { type: "dropped", error, lines: 1 });
}

/** The path in a `fifo:` URL. @throws {Error} `ENOTSUP` on Windows. */
export function parseFifo(url: string): string {
  const path = parsePath(url, "fifo");
  if (process.platform !== "win32") return path;
  throw Object.assign(new Error(`Cannot use ${url}: Windows has no FIFOs`), { code: "ENOTSUP" });
}
