/**
 * One owner for a path, and only a dead owner's file is removed: what a port does by itself, for sockets and FIFOs in the
 * file system.
 *
 * @module
 */
import { link, unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Gives the file `own` the name `path` as well, unless somebody alive has it. A dead owner's file is removed, and never
 * anybody else's, however many do this at once: a hard link is made by one only, and a dead file is removed only under
 * a lock, which is `own` under the name `path~`. Should its holder be killed, the lock is a dead file like any other.
 *
 * @param own The file of somebody alive, in the same file system: a socket that listens.
 * @param look Tells whether somebody is behind a file. It throws for what must not be removed.
 * @returns Whether the path is ours now; else somebody alive has it.
 */
export async function claimPath(
  own: string,
  path: string,
  look: (path: string) => Promise<"alive" | "dead" | "gone">,
): Promise<boolean> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    if (await isLinked(own, path)) return true;
    const state = await look(path);
    if (state === "alive") return false;
    if (state === "gone") continue;
    const lock = `${path}~`;
    if (!(await claimPath(own, lock, look))) {
      // Whoever has it is about to remove the dead file, or to take its place.
      await sleep(PAUSE_MS);
      continue;
    }
    try {
      if ((await look(path)) === "dead") await unlink(path);
    } finally {
      await unlink(lock);
    }
  }
  return false;
}

/** 3 s in all: what is done under the lock takes a few ms. */
const MOST_TRIES = 300;
const PAUSE_MS = 10;

async function isLinked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
