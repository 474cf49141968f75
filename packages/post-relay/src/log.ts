import { open } from "node:fs/promises";
import { dirname } from "node:path";

/** A file that only grows, by whole lines. */
export interface Log {
  /** Resolves when the line is written; all that come while a write is on its way share the next one. */
  append(line: string): Promise<void>;
  /** Writes what is left, and closes the file. */
  close(): Promise<void>;
}

/**
 * Opens a file to append to.
 *
 * @param soundBytes What is behind them is cut off.
 * @param fsync Waits until the disk has it: what is acknowledged then survives a power cut.
 * @throws {Error} `EACCES` and its like.
 */
export async function openLog(file: string, soundBytes: number, fsync: boolean): Promise<Log> {
  const handle = await open(file, "a").catch((cause) => {
    throw Object.assign(new Error(`Cannot write ${file}: ${cause.message}`, { cause }), { code: cause.code });
  });
  await handle.truncate(soundBytes);
  if (fsync) await syncFolder(file);
  let text = "";
  let next: Promise<void> | undefined;
  let last = Promise.resolve();
  let broken: Error | undefined;

  async function writeNext(before: Promise<void>): Promise<void> {
    await before.catch(() => {});
    // What else this turn brings goes along.
    await new Promise(setImmediate);
    const batch = text;
    text = "";
    next = undefined;
    if (broken) throw broken;
    try {
      await handle.appendFile(batch);
      if (fsync) await handle.datasync();
      soundBytes += Buffer.byteLength(batch);
    } catch (error) {
      // The disk is full, say: half a line must not stand before the next one.
      await handle.truncate(soundBytes).catch((cause) => {
        broken = cause;
      });
      throw error;
    }
  }

  return {
    append(line) {
      text += `${line}\n`;
      next ??= last = writeNext(last);
      return next;
    },
    async close() {
      await last.catch(() => {});
      await handle.close();
    },
  };
}

/** That a file is there is written in its folder. */
async function syncFolder(file: string): Promise<void> {
  const folder = await open(dirname(file), "r");
  await folder.sync();
  await folder.close();
}
