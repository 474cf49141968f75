import type { Readable, Writable } from "node:stream";
import { ReadStream, WriteStream } from "node:tty";
import { openPipe } from "./pipe.ts";
import type { Talk } from "./talk.ts";
import { openTerminal } from "./terminal.ts";

/** Where a person or a program sits: what they type goes into a talk, what the other side says is shown to them. */
export interface Seat {
  /**
   * Takes part in a talk until it is over. Talks come one after another.
   * @throws what the talk broke with.
   */
  join(talk: Talk): Promise<void>;
  /** Shows what happens: a line that nobody said. */
  note(line: string): void;
  /**
   * Resolves when whoever sits here wants no more talks, or after `close()`.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE` for what a pipe brought; the lines before it have been said.
   */
  readonly left: Promise<void>;
  /** Reads no more, and gives a terminal back as it was. */
  close(): void;
}

/** Streams, and whom a seat tells. */
export interface SeatOptions {
  /** What is typed. */
  input: Readable;
  /** Where the other side's lines are shown. */
  output: Writable;
  /** Gets the notes where there is no terminal, so that `output` has what was said and nothing else. */
  log: (line: string) => void;
  /** The longest line that a pipe may bring, in bytes. @default {1_048_576} */
  maxFrameBytes?: number | undefined;
}

/** A seat at a terminal where both streams are one, else at a pipe. */
export function openSeat(options: SeatOptions): Seat {
  const { input, output } = options;
  return input instanceof ReadStream && output instanceof WriteStream
    ? openTerminal({ ...options, input, output })
    : openPipe(options);
}
