/** What the tests of several files share: connected sockets, memory, waiting for what has no event. */
import { once } from "node:events";
import { createServer, connect as netConnect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** The sizes that the rows of FAULTS ask for; small ones by default. */
export const IS_HEAVY = process.env["IPC_HEAVY"] === "1";

setFlagsFromString("--expose-gc");
const gc: () => void = runInNewContext("gc");

/** Bytes that are in use once garbage is collected, of the heap and outside it. */
export function usedBytes(): number {
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  // `external` has `arrayBuffers` in it.
  return heapUsed + external;
}

/** Bytes in ArrayBuffers and Buffers once garbage is collected. */
export function bufferBytes(): number {
  gc();
  gc();
  return process.memoryUsage().arrayBuffers;
}

/**
 * Two ends of one TCP connection. Neither ends by itself when the other does, nor do their errors end the process; both
 * are gone after the test.
 */
export async function connectedPair(t: TestContext): Promise<{ near: Socket; far: Socket }> {
  const listener = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("Cannot read the port");
  const far = netConnect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  const [[near]] = (await Promise.all([once(listener, "connection"), once(far, "connect")])) as [[Socket], []];
  listener.close();
  for (const socket of [near, far]) {
    socket.on("error", () => {});
    t.after(() => socket.destroy());
  }
  return { near, far };
}

/** Resolves once `condition` holds; for what has no event to wait for. The test's own time limit bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(2);
}

/** Resolves with `value()` once it has stayed the same for 200 ms: that nothing happens any more has no event. */
export async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let since = performance.now(); performance.now() - since < 200; await pause(10)) {
    if (value() === last) continue;
    last = value();
    since = performance.now();
  }
  return last;
}

/** All that a socket receives until the peer ends, as text; the socket stays open, unlike after `for await`. */
export async function received(socket: Duplex): Promise<string> {
  const chunks: Uint8Array[] = [];
  socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks).toString();
}

/** A promise and what settles it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Bytes 0, 1, 2, … 250, 0, …: 251 is a prime, so that no block border repeats them. None is a newline if asked for. */
export function pattern(length: number, options: { newlines?: boolean } = {}): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i % 251;
  if (options.newlines === false) for (let i = 10; i < length; i += 251) bytes[i] = 0x2e;
  return bytes;
}

/** A comparable, printable form of frames. */
export function asHex(frames: readonly Uint8Array[]): string[] {
  return frames.map((frame) => Buffer.from(frame).toString("hex"));
}

/** The bytes of a text. */
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/**
 * A stream that notes each write to the system as the chunks it has: a writev is one. It takes nothing more until
 * `take()` is called, unless it is made `open`.
 */
export function recorder({ isOpen = true }: { isOpen?: boolean } = {}) {
  const writes: Uint8Array[][] = [];
  let taken = () => {};
  const note = (chunks: Uint8Array[], callback: () => void) => {
    writes.push(chunks);
    if (isOpen) callback();
    else taken = callback;
  };
  const socket = new Duplex({
    read() {},
    write: (chunk: Uint8Array, _encoding, callback) => note([chunk], callback),
    writev: (entries, callback) =>
      note(
        entries.map(({ chunk }) => chunk),
        callback,
      ),
  });
  return { socket, writes, take: () => taken() };
}

/** Resolves when this turn of the event loop is over. */
export const endOfTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
