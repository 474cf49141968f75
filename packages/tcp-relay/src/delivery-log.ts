import { Buffer } from "node:buffer";
import { open, rename } from "node:fs/promises";
import { lineFraming } from "@ipc/core/framing";
import type { Doubles } from "./doubles.ts";

/** Keys in a file, a line each: what has been delivered is known after a restart. */
export interface DeliveryLog {
  /** Resolves when the line is with the system: it survives the death of this process, not a power cut. */
  append(key: string): Promise<void>;
  /** Writes what is left and closes the file. */
  close(): Promise<void>;
}

/**
 * Opens or makes the file, and adds what it holds to `doubles`. When it has four times as many lines as `doubles`
 * remembers, it is written anew with those.
 *
 * @throws {Error} `EACCES`, `EISDIR`, … of the file system.
 */
export async function openDeliveryLog(path: string, doubles: Doubles): Promise<DeliveryLog> {
  let file = await open(path, "a+");
  let { lines, bytes } = await load();
  let batch = "";
  let writing: Promise<void> | undefined;
  let last = Promise.resolve();

  async function load() {
    const found = { lines: 0, bytes: 0 };
    const decoder = lineFraming.createDecoder();
    for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) {
      for (const line of decoder.decode(chunk)) {
        found.lines++;
        found.bytes += line.length + 1;
        doubles.add(Buffer.from(line).toString("latin1"));
      }
    }
    return found;
  }

  /** What came while the batch before was being written goes out in one piece. */
  async function write() {
    const text = batch;
    batch = "";
    writing = undefined;
    // Half a line, left by a crash or a full disk, would be taken for another key.
    if ((await file.stat()).size !== bytes) await file.truncate(bytes);
    await file.appendFile(text);
    bytes += text.length;
    if (lines > MOST_TIMES * doubles.size + LEAST_LINES) await shorten();
  }

  async function shorten() {
    const text = [...doubles, ""].join("\n");
    const next = await open(`${path}.new`, "w");
    await next.appendFile(text);
    await next.close();
    await rename(`${path}.new`, path);
    await file.close();
    file = await open(path, "a+");
    lines = doubles.size;
    bytes = text.length;
  }

  return {
    append(key) {
      batch += `${key}\n`;
      lines++;
      if (!writing) {
        writing = last.then(write, write);
        last = writing;
      }
      return writing;
    },
    async close() {
      await last.catch(() => {});
      await file.close();
    },
  };
}

const MOST_TIMES = 4;
/** Below that it is not worth the while. */
const LEAST_LINES = 10_000;
