/**
 * Writes a whole folder or nothing.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A file to write. */
export interface FileToWrite {
  content: string | Uint8Array;
  /** Permissions. @default {0o666} less the umask */
  mode?: number;
}

/**
 * Writes files into `folder`, which is missing or empty: first beside it, then in its place with one rename, so that
 * an error or an abort leaves nothing behind.
 *
 * @param files By their path in the folder.
 */
export async function writeFolder(
  folder: string,
  files: ReadonlyMap<string, FileToWrite>,
  signal: AbortSignal,
): Promise<void> {
  const parent = dirname(folder);
  const draft = join(parent, `.${basename(folder)}-${randomUUID().slice(0, 8)}`);
  let made: string | undefined;
  try {
    made = await mkdir(parent, { recursive: true });
    await mkdir(draft);
    for (const [path, { content, mode }] of files) {
      signal.throwIfAborted();
      await mkdir(dirname(join(draft, path)), { recursive: true });
      await writeFile(join(draft, path), content, { mode: mode ?? 0o666 });
    }
    signal.throwIfAborted();
    await rename(draft, folder);
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    if (made !== undefined) await removeEmpty(parent, made);
    if (signal.aborted) throw new Error("Interrupted: nothing was written");
    throw new Error(`Cannot write ${folder}: ${(cause as Error).message}`, { cause });
  }
}

/** Removes the folders from `deepest` up to `highest`, as far as nobody else has put something in them. */
async function removeEmpty(deepest: string, highest: string): Promise<void> {
  try {
    for (let folder = deepest; folder.startsWith(highest); folder = dirname(folder)) await rmdir(folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}
