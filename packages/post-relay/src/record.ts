import { createHash } from "node:crypto";
import { openLog } from "./log.ts";
import { type RecordedPost, readRecord } from "./record-file.ts";

/** What a sink has done, and under which keys. */
export interface PostRecord {
  /**
   * Writes a post down, once a key.
   *
   * @returns When that was, in ms since 1970; under a known key, when it was the first time.
   * @throws {Error} `ERR_KEY_REUSED` the key belongs to another body · `ENOBUFS` no room for more keys · `ENOSPC` and its like.
   */
  add(key: string | undefined, body: Buffer): Promise<{ at: number; isKnown: boolean }>;
  close(): Promise<void>;
}

/** Options of {@link openRecord}. */
export interface RecordOptions {
  fsync: boolean;
  /** A key is forgotten after so long, in ms; its post stays. */
  keepMs: number;
  /** Keys that are kept at once. */
  maxKeys: number;
}

/** What is remembered under a key. */
interface Entry {
  at: number;
  digest: string;
  /** While it is being written. */
  written?: Promise<void> | undefined;
}

/**
 * Opens a record, and discards a post at its end that was torn when its sink was killed: it was never acknowledged.
 *
 * @throws {SyntaxError} `ERR_RECORD` when it is damaged elsewhere.
 */
export async function openRecord(file: string, { fsync, keepMs, maxKeys }: RecordOptions): Promise<PostRecord> {
  /** Oldest first. */
  const known = new Map<string, Entry>();
  const soundBytes = await readRecord(file, ({ at, key, body }) => {
    if (key === undefined) return;
    known.delete(key);
    known.set(key, { at: Date.parse(at), digest: digestOf(body) });
    forgetOld();
  });
  const log = await openLog(file, soundBytes, fsync);

  async function add(key: string | undefined, body: Buffer) {
    forgetOld();
    const before = key === undefined ? undefined : known.get(key);
    if (before) {
      if (before.digest !== digestOf(body)) throw keyReused();
      // The same answer, but not before it is true.
      await before.written;
      return { at: before.at, isKnown: true };
    }
    if (key !== undefined && known.size >= maxKeys) throw full(maxKeys);
    const at = Date.now();
    const post: RecordedPost = { at: new Date(at).toISOString(), key, body: body.toString() };
    const written = log.append(JSON.stringify(post));
    if (key === undefined) await written;
    else await remember(key, { at, digest: digestOf(body), written });
    return { at, isKnown: false };
  }

  async function remember(key: string, entry: Entry): Promise<void> {
    known.set(key, entry);
    try {
      await entry.written;
      entry.written = undefined;
    } catch (error) {
      known.delete(key);
      throw error;
    }
  }

  function forgetOld(): void {
    const now = Date.now();
    for (const [key, { at }] of known) {
      if (now - at <= keepMs) return;
      known.delete(key);
    }
  }

  return { add, close: () => log.close() };
}

function digestOf(body: string | Buffer): string {
  return createHash("sha256").update(body).digest("base64");
}

function keyReused(): Error {
  const text = "Cannot record post: its Idempotency-Key belongs to another body";
  return Object.assign(new Error(text), { code: "ERR_KEY_REUSED" });
}

function full(maxKeys: number): Error {
  return Object.assign(new RangeError(`Cannot record post: limit is ${maxKeys} keys`), { code: "ENOBUFS", maxKeys });
}
