/**
 * The questions of `framing-peers.ts`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { PassThrough, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Candidate } from "./candidates.ts";

/** An answer: whether it is the one we want, and in a word what happened. */
export interface Cell {
  isGood: boolean;
  word: string;
}

/** What a reader got, and the error it ended with. */
interface Reading {
  frames: Uint8Array[];
  error: Error | undefined;
}

const MIB = 2 ** 20;
/** Far above every default limit among the peers (64 MiB). */
const LARGEST_TRIED = 80 * MIB;
/** A decoder that says nothing for so long waits for more. */
const WAIT_MS = 300;

/** 100 frames of different lengths in chunks of 50 bytes, and a pause behind each frame read. */
export async function losesFramesWhenSlow(candidate: Candidate): Promise<Cell> {
  const messages = Array.from({ length: 100 }, (_, index) => textOf(index, 10 + (index % 30)));
  const wire = Buffer.concat(messages.map(candidate.encode));
  const reading = await read(candidate, Readable.from(cut(wire, 50)), () => delay(1));
  return compare(reading, messages);
}

/** Full, empty, full, empty. */
export async function dropsEmptyFrames(candidate: Candidate): Promise<Cell> {
  const messages = [textOf(1, 3), Buffer.alloc(0), textOf(2, 3), Buffer.alloc(0)];
  // One frame a chunk: whether neighbours are glued is another question.
  const source = new PassThrough();
  const reading = read(candidate, source);
  for (const message of messages) {
    source.write(candidate.encode(message));
    await delay(5);
  }
  source.end();
  const cell = compare(await reading, messages);
  return cell.isGood ? cell : { isGood: false, word: "dropped" };
}

/** `end(last)` with 8 frames in the last chunk, to a reader that waits already. */
export async function losesFramesAtEnd(candidate: Candidate): Promise<Cell> {
  const messages = Array.from({ length: 8 }, (_, index) => textOf(index, 20));
  const source = new PassThrough();
  const reading = read(candidate, source);
  await delay(5);
  source.end(Buffer.concat(messages.map(candidate.encode)));
  return compare(await reading, messages);
}

/** One chunk of 8 frames; the source fails while the reader has the first. */
export async function failsBehindFrames(candidate: Candidate): Promise<Cell> {
  const messages = Array.from({ length: 8 }, (_, index) => textOf(index, 20));
  const source = new PassThrough();
  source.write(Buffer.concat(messages.map(candidate.encode)));
  const reading = await read(candidate, source, async () => {
    source.destroy(new Error("reset"));
    await delay(5);
  });
  return compare(reading, messages);
}

/** Searches for the longest message that is taken, to the byte. */
export async function findsLimit(candidate: Candidate): Promise<Cell> {
  // Long chunks: some peers join on each, and would take minutes.
  if (await takes(candidate, LARGEST_TRIED, 4 * MIB)) return { isGood: false, word: "none" };
  let taken = 1;
  let refused = LARGEST_TRIED;
  while (refused - taken > 1) {
    const middle = Math.floor((taken + refused) / 2);
    if (await takes(candidate, middle, MIB / 16)) taken = middle;
    else refused = middle;
  }
  return { isGood: true, word: `${Math.round(taken / MIB)} MiB` };
}

/** Half a frame, then the end. */
export async function endsInsideFrame(candidate: Candidate): Promise<Cell> {
  const wire = candidate.encode(textOf(1, 100));
  const { frames, error } = await read(candidate, Readable.from([wire.subarray(0, 50)]));
  if (error) return { isGood: true, word: "error" };
  return { isGood: false, word: frames.length > 0 ? "a frame" : "silent" };
}

/** The header of a huge frame and a few bytes of it; or much without a newline. */
export async function announcesHugeFrame(candidate: Candidate): Promise<Cell> {
  const source = new PassThrough();
  const before = process.memoryUsage().arrayBuffers;
  const reading = read(candidate, source);
  if (candidate.hugeHeader) source.write(Buffer.concat([candidate.hugeHeader, Buffer.alloc(64, "x")]));
  else for (const chunk of cut(Buffer.alloc(8 * MIB, "x"), MIB)) source.write(chunk);
  const result = await Promise.race([reading, delay(WAIT_MS)]);
  const grownBytes = process.memoryUsage().arrayBuffers - before;
  source.destroy(new Error("asked enough"));
  await reading;
  if (result?.error) return { isGood: true, word: "refused" };
  return { isGood: false, word: grownBytes > 1024 * MIB ? "room" : "buffered" };
}

async function takes(candidate: Candidate, messageBytes: number, chunkBytes: number): Promise<boolean> {
  const wire = candidate.encode(Buffer.alloc(messageBytes, "x"));
  const { frames, error } = await read(candidate, Readable.from(cut(wire, chunkBytes)));
  return error === undefined && frames.reduce((sum, frame) => sum + frame.length, 0) === messageBytes;
}

async function read(candidate: Candidate, source: Readable, pause?: () => Promise<void>): Promise<Reading> {
  const frames: Uint8Array[] = [];
  source.on("error", () => {});
  try {
    for await (const frame of candidate.decode(source)) {
      frames.push(frame);
      await pause?.();
    }
    return { frames, error: undefined };
  } catch (error) {
    return { frames, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

function compare({ frames }: Reading, messages: readonly Uint8Array[]): Cell {
  const isSame =
    frames.length === messages.length &&
    messages.every((message, index) => Buffer.from(message).equals(frames[index] ?? Buffer.of(0)));
  if (isSame) return { isGood: true, word: "all" };
  const isGlued = Buffer.concat(frames).equals(Buffer.concat(messages));
  return { isGood: false, word: isGlued ? "glued" : `${frames.length} of ${messages.length}` };
}

function textOf(index: number, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${index}-`);
}

function* cut(wire: Uint8Array, chunkBytes: number): Generator<Uint8Array> {
  for (let offset = 0; offset < wire.length; offset += chunkBytes) yield wire.subarray(offset, offset + chunkBytes);
}
