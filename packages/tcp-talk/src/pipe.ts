import { once } from "node:events";
import { escapeLine, parseLine, readLines } from "./protocol.ts";
import type { Seat, SeatOptions } from "./seat.ts";
import type { Talk } from "./talk.ts";

/**
 * A seat without a person: lines out of a pipe or a file, lines into one.
 *
 * Its end says no more and goes on hearing until the other side ends, too. Nothing is read while there is nobody to say
 * it to. An input that has ended before a talk only listens in it.
 */
export function openPipe({ input, output, log, maxFrameBytes }: SeatOptions): Seat {
  let talk: Talk | undefined;
  let onTalk: ((talk: Talk) => void) | undefined;
  let hasEnded = false;
  let failure: Error | undefined;
  let settle = () => {};

  const left = new Promise<void>((resolve, reject) => {
    settle = () => (failure ? reject(failure) : resolve());
  });
  // Who looks at it later is not to die of it now.
  left.catch(() => {});

  async function sayAll(): Promise<void> {
    try {
      for await (const bytes of readLines(input, maxFrameBytes)) await say(parseLine(bytes));
      talk?.end();
    } catch (error) {
      failure = error as Error;
      await talk?.close();
      settle();
    }
    hasEnded = true;
  }

  /** Says a line to whoever is there, or will be: one that could not be said is the next one's. */
  async function say(line: string): Promise<void> {
    for (let to = await somebody(); !(await isTaken(to, line)); to = await somebody()) {
      await to.closed;
      if (talk === to) talk = undefined;
    }
  }

  async function somebody(): Promise<Talk> {
    return talk ?? (await new Promise<Talk>((resolve) => (onTalk = resolve)));
  }

  async function show(line: string): Promise<void> {
    if (!output.write(`${escapeLine(line)}\n`)) await once(output, "drain");
  }

  void sayAll();
  return {
    left,
    note: log,
    async join(next) {
      talk = next;
      onTalk?.(next);
      try {
        for await (const line of next) await show(line);
        if (hasEnded) next.end();
        const error = await next.closed;
        if (error && !next.bye) throw error;
      } finally {
        if (talk === next) talk = undefined;
      }
    },
    close() {
      settle();
      input.destroy();
    },
  };
}

async function isTaken(talk: Talk, line: string): Promise<boolean> {
  try {
    await talk.send(line);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_FRAME_TOO_LARGE") throw error;
    return false;
  }
}
