import { execFile } from "node:child_process";
import { closeSync, constants, fstatSync, open, openSync } from "node:fs";
import { chmod, lstat, mkdtemp, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { claimPath } from "@ipc/core/claim-path";

const { O_NONBLOCK, O_RDWR, O_WRONLY } = constants;

/**
 * Opens a FIFO for its one reader; makes it where there is none, mode 0600. One that is there is used, so that who
 * waits to write into it is heard; what is no FIFO is left as it is.
 *
 * @returns A descriptor that also holds an end for writing: no end of input when the last writer leaves.
 * @throws {Error} `EADDRINUSE`: somebody reads it; `ENOENT`, `EACCES`; `ERR_NO_FIFO`.
 */
export async function openForReading(path: string): Promise<number> {
  const folder = await mkdtemp(`${path}.`);
  try {
    // Two readers would each get some of the bytes: one at a time may look whether there is one. The lock is a FIFO,
    // too, and while it is open for reading its holder is alive.
    const own = join(folder, "lock");
    await makeFifo(own);
    const lock = openSync(own, O_RDWR | O_NONBLOCK);
    try {
      if (!(await claimPath(own, `${path}~`, lookAtFifo))) throw inUse();
      try {
        return await openAlone(path);
      } finally {
        await unlink(`${path}~`);
      }
    } finally {
      closeSync(lock);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function openAlone(path: string): Promise<number> {
  const state = await lookAtFifo(path);
  if (state === "alive") throw inUse();
  if (state === "gone") await makeFifo(path);
  else await chmod(path, 0o600);
  return openSync(path, O_RDWR | O_NONBLOCK);
}

/**
 * Opens a FIFO to write into it.
 *
 * @throws {Error} `ENXIO`: nobody reads it; `ENOENT`: there is none; `EACCES`; `ERR_NO_FIFO`.
 */
export async function openForWriting(path: string): Promise<number> {
  // Without O_NONBLOCK this would wait for a reader, in a thread that nobody can stop: not even process.exit() ends
  // then.
  const fd = await promisify(open)(path, O_WRONLY | O_NONBLOCK);
  if (fstatSync(fd).isFIFO()) return fd;
  closeSync(fd);
  throw noFifo(path);
}

/** Whether somebody reads it. */
async function lookAtFifo(path: string): Promise<"alive" | "dead" | "gone"> {
  try {
    if (!(await lstat(path)).isFIFO()) throw noFifo(path);
    closeSync(await openForWriting(path));
    return "alive";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENXIO") return "dead";
    if (code === "ENOENT") return "gone";
    throw error;
  }
}

/** Node has no call for it. */
async function makeFifo(path: string): Promise<void> {
  await promisify(execFile)("mkfifo", ["-m", "600", "--", path]);
}

function inUse(): Error {
  return Object.assign(new Error("somebody reads it already"), { code: "EADDRINUSE" });
}

function noFifo(path: string): Error {
  return Object.assign(new Error(`${path} is no FIFO, and is left as it is`), { code: "ERR_NO_FIFO" });
}
