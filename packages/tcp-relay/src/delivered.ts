import { Buffer } from "node:buffer";
import { open, rename } from "node:fs/promises";
import { lineFraming } from "@ipc/core/framing";
import { keyOf, wordsOf } from "./protocol.ts";

/**
 * The keys of what has been delivered, so that what is sent again is told. Remembers the last `maxIds` at least and
 * twice as many at most: two sets of which the older is forgotten at once. (To delete the first of a large Set again
 * and again is slow: the search for it walks over the places of those deleted before.)
 */
export class Delivered {
  readonly #maxIds: number;
  #young = new Set<string>();
  #old = new Set<string>();

  /** @throws {RangeError} for less than 1. */
  constructor(maxIds: number) {
    if (!(maxIds >= 1)) throw new RangeError(`Cannot use maxIds: current value is ${maxIds}, the least is 1`);
    this.#maxIds = maxIds;
  }

  get size(): number {
    return this.#old.size + this.#young.size;
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  add(key: string): void {
    this.#young.add(key);
    if (this.#young.size < this.#maxIds) return;
    this.#old = this.#young;
    this.#young = new Set();
  }

  /** The oldest first. */
  *[Symbol.iterator](): Generator<string> {
    yield* this.#old;
    yield* this.#young;
  }
}

/** The same in a file, a line each, for a restart. */
export interface DeliveryLog {
  /** Resolves when the line is with the system: it survives the death of this process, not a power cut. */
  append(key: string): Promise<void>;
  /** Writes what is left and closes the file. */
  close(): Promise<void>;
}

/**
 * Opens or makes the file, and adds what it holds to `delivered`. When it has four times as many lines as that
 * remembers, it is written anew.
 *
 * @throws {Error} `EACCES`, `EISDIR`, … of the file system; `ERR_NO_DELIVERY_LOG` for a file of somebody else's.
 */
export async function openDeliveryLog(path: string, delivered: Delivered): Promise<DeliveryLog> {
  let file = await open(path, "a+");
  let lines = 0;
  let bytes = 0;
  const decoder = lineFraming.createDecoder();
  try {
    for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) {
      if (lines === 0) checkBeginning(path, chunk);
      for (const line of decoder.decode(chunk)) {
        const [id = "", origin = ""] = Buffer.from(line).toString("latin1").split(" ");
        delivered.add(keyOf(origin, id));
        lines++;
        bytes += line.length + 1;
      }
      if (decoder.error) throw noLog(path);
    }
  } catch (error) {
    await file.close();
    // No line of ours is so long.
    throw error instanceof RangeError ? noLog(path) : error;
  }
  let batch = "";
  let writing: Promise<void> | undefined;
  let last = Promise.resolve();

  /** What came while the batch before was being written goes out in one piece. */
  async function write() {
    const text = batch;
    batch = "";
    writing = undefined;
    // Half a line, left by a crash or a full disk, would be taken for another key.
    if ((await file.stat()).size !== bytes) await file.truncate(bytes);
    await file.appendFile(text);
    bytes += text.length;
    if (lines > 4 * delivered.size + LEAST_LINES) await shorten();
  }

  async function shorten() {
    const text = [...delivered].map(lineOf).join("");
    const next = await open(`${path}.new`, "w");
    await next.appendFile(text);
    await next.close();
    await rename(`${path}.new`, path);
    await file.close();
    file = await open(path, "a+");
    lines = delivered.size;
    bytes = text.length;
  }

  return {
    append(key) {
      batch += lineOf(key);
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

/** A file that somebody named by mistake would lose what no key of ours is. Half a line of ours is still one. */
function checkBeginning(path: string, chunk: Uint8Array): void {
  const [line = ""] = Buffer.from(chunk).toString("latin1", 0, 130).split("\n", 1);
  if (!/^[\w.:-]{1,64}( [\w.:-]{0,64})?$/.test(line)) throw noLog(path);
}

function noLog(path: string): Error {
  const text = `Cannot use ${path}: it is no list of delivered ids, and is left as it is`;
  return Object.assign(new Error(text), { code: "ERR_NO_DELIVERY_LOG" });
}

/** Below that it is not worth the while. */
const LEAST_LINES = 10_000;

function lineOf(key: string): string {
  const [origin, id] = wordsOf(key);
  return `${id} ${origin}\n`;
}
