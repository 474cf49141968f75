import type { Socket } from "node:net";
import { finished } from "node:stream/promises";
import { lineFraming } from "@ipc/core/framing";
import { endSocket } from "@ipc/core/sockets";
import { createFrameWriter } from "@ipc/core/write-frames";
import { describeLoss, talkError } from "./errors.ts";
import { type HearOptions, hearLines, type News, resumable } from "./hear.ts";
import type { TalkLimits } from "./limits.ts";
import { BYE } from "./protocol.ts";

/** Two who talk over one connection, both at any time. The same at either end. */
export interface Talk extends AsyncIterable<string, undefined, undefined> {
  /** Where the other side is: `tcp://127.0.0.1:5000`. */
  readonly url: string;
  /** Who said bye; undefined as long as nobody has. */
  readonly bye: "said" | "heard" | undefined;
  /** Whether the other side has ended without bye: it has no more to say, or it was killed. The two look the same. */
  readonly hasLeft: boolean;
  /** Resolves when the connection is closed, with what broke it, if anything did. */
  readonly closed: Promise<Error | undefined>;
  /**
   * Says a line; an empty one is a line as well. `bye` ends the talk and resolves when that is done; any other resolves
   * when more may be said: who waits for it holds at most 256 KiB and a line, however slowly the other side reads.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, `ERR_FRAME_DELIMITER` (a newline in it): not sent, the talk goes on.
   * @throws {Error} `EPIPE` the talk is over; `ECONNRESET`, `ETIMEDOUT` the connection broke.
   */
  send(line: string): Promise<void>;
  /** Says no more, without bye, and goes on hearing. */
  end(): void;
  /** Says bye and closes the connection, within `graceMs`; what is on its way still comes. May be called again. */
  close(): Promise<void>;
  /**
   * What the other side says, line by line, until it says bye or leaves, or `close()` is done; one loop at a time. A
   * loop that takes its time slows the other side down. It is text as it came: escape it before it gets to a terminal.
   * @throws {FrameError} `ERR_FRAME_TOO_LARGE`, after the lines before it.
   * @throws {Error} `EBUSY`, `ERR_WRONG_TOKEN` not let in; `EPROTO` it speaks HTTP; `ECONNRESET`, `ETIMEDOUT` it broke.
   */
  [Symbol.asyncIterator](): AsyncIterator<string, undefined, undefined>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Speaks and hears lines over a connected socket.
 *
 * @param onNews Called when the other side leaves without bye before we have ended, and when it first sends no UTF-8.
 */
export function createTalk(socket: Socket, options: TalkLimits & HearOptions, onNews: (news: News) => void): Talk {
  const { url, maxFrameBytes, keepAliveMs, stallTimeoutMs, graceMs } = options;
  const writer = createFrameWriter(socket, lineFraming, { maxFrameBytes });
  const state: { bye: Talk["bye"]; hasLeft: boolean } = { bye: undefined, hasLeft: false };
  let closing: Promise<void> | undefined;

  socket.allowHalfOpen = true;
  // A person may think for as long as they like: cut off is only who is gone, or takes nothing.
  if (keepAliveMs > 0) socket.setKeepAlive(true, keepAliveMs);
  socket.setTimeout(stallTimeoutMs).on("timeout", () => {
    if (socket.writableLength > 0)
      socket.destroy(talkError(url, "ETIMEDOUT", `it took nothing for ${stallTimeoutMs} ms`));
  });
  const closed = new Promise<Error | undefined>((resolve) => {
    socket.once("close", () => resolve(socket.errored ? describeLoss(url, socket.errored) : undefined));
  });

  async function* hear(): AsyncGenerator<string, undefined, undefined> {
    try {
      const how = yield* hearLines(socket, options, () => onNews("garbled"));
      if (how === "left" && !state.bye) {
        state.hasLeft = true;
        if (!socket.writableEnded) onNews("left");
      } else {
        state.bye ??= "heard";
        void close();
      }
    } catch (error) {
      // What breaks behind the bye breaks nothing.
      if (!state.bye && !closing) throw describeLoss(url, error as Error);
    }
  }

  const lines = resumable(hear());

  async function send(line: string): Promise<void> {
    if (state.bye) throw talkError(url, "EPIPE", "the talk is over");
    if (line === BYE) await hangUp();
    else if (!writer.write(Buffer.from(line))) await writer.drained();
  }

  /** What was said in this turn goes first. */
  const end = () => process.nextTick(() => socket.end());

  async function hangUp(): Promise<void> {
    if (!state.bye && !state.hasLeft && socket.writable) {
      writer.write(Buffer.from(BYE));
      state.bye = "said";
    }
    end();
    void lines.discard();
    // A connection that broke is told of by `closed`.
    await finished(socket, { readable: false }).catch(() => {});
    await endSocket(socket);
  }

  async function closeInTime(): Promise<void> {
    const cutOff = setTimeout(() => socket.destroy(), graceMs);
    await hangUp();
    clearTimeout(cutOff);
  }
  const close = () => (closing ??= closeInTime());

  return Object.assign(state, {
    url,
    closed,
    send,
    end,
    close,
    [Symbol.asyncIterator]: lines.iterate,
    [Symbol.asyncDispose]: close,
  });
}
