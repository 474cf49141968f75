import { setTimeout as sleep } from "node:timers/promises";
import type { Pull, Push } from "zeromq";
import { type ListenOptions, openListener } from "./listen.ts";
import { Sender, unpack } from "./pack.ts";
import { openConnection, type ReachOptions } from "./reach.ts";
import { type Create, type End, receive } from "./socket.ts";
import { closeOnce } from "./waiting.ts";

/** What a pusher has in addition. */
export interface PackOption {
  /** Many small messages in one ZeroMQ message; the high-water mark then counts packs. @default {false} */
  isPacked?: boolean | undefined;
}

/** Hands messages out, each to one of those who pull. A message is sent once: it is lost with the one that has it. */
export interface Pusher extends AsyncDisposable {
  readonly url: string;
  /**
   * Sends a message to the next in turn; waits for room when all have as many waiting as the high-water mark allows, and
   * for the first of them. Await what it returns, if anything. The bytes must not change afterwards.
   *
   * @throws {RangeError} `ERR_FRAME_TOO_LARGE`. What it returns rejects with `EPIPE` when it is closed.
   */
  send(message: Uint8Array): Promise<void> | undefined;
  /**
   * Resolves with `true` when so many are connected: the first one alone would get all that is sent until the second
   * comes. Resolves with `false` when it is closed before that.
   */
  waitForPeers(count: number): Promise<boolean>;
  /** Sends what is packed and ends; what nobody has taken within `graceMs` is lost. */
  close(): Promise<void>;
}

/** Takes messages, fairly from each who pushes: an iterable of what came together, one message or a pack of many. */
export interface Puller extends AsyncDisposable, AsyncIterable<Uint8Array[]> {
  readonly url: string;
  /** Ends; what has not been read is lost. */
  close(): Promise<void>;
}

/** Pushes to whoever comes: the ventilator of a pipeline. */
export async function startPush(options: ListenOptions & PackOption = {}): Promise<Pusher> {
  return createPusher(await openListener(push, options), options);
}

/** Pushes to one that listens, as a worker does its results; waits for it to be there. */
export async function connectPush(url: string, options: ReachOptions & PackOption = {}): Promise<Pusher> {
  return createPusher(await openConnection(push, url, options), options);
}

/** Pulls from whoever comes: the sink of a pipeline. Who does not read slows down those who push. */
export async function startPull(options: ListenOptions = {}): Promise<Puller> {
  return createPuller(await openListener(pull, options));
}

/** Pulls from one that listens, as a worker does its tasks; waits for it to be there. */
export async function connectPull(url: string, options: ReachOptions = {}): Promise<Puller> {
  return createPuller(await openConnection(pull, url, options));
}

const push: Create<Push> = ({ Push }, settings) => new Push(settings);
const pull: Create<Pull> = ({ Pull }, settings) => new Pull(settings);

function createPusher(opened: End<Push>, { isPacked = false }: PackOption): Pusher {
  const { socket, url, maxFrameBytes, graceMs, waitForPeers, stop, end } = opened;
  const sender = new Sender(socket, { isPacked, maxFrameBytes });
  const handle = closeOnce(async () => {
    // Before it stops listening: somebody may still come for what waits.
    await Promise.race([sender.close().catch(() => {}), sleep(graceMs, undefined, { ref: false })]);
    await stop();
    end();
  });
  return { url, send: (message) => sender.send(message), waitForPeers, ...handle };
}

function createPuller({ socket, url, maxFrameBytes, report, stop, end }: End<Pull>): Puller {
  // Not a generator: that would be two promises more for each message.
  async function next(): Promise<IteratorResult<Uint8Array[], undefined>> {
    for (let frames = await receive(socket); frames; frames = await receive(socket)) {
      try {
        return { done: false, value: unpack(frames, maxFrameBytes) };
      } catch (error) {
        report({ type: "dropped", error: error as Error });
      }
    }
    return { done: true, value: undefined };
  }
  return { url, [Symbol.asyncIterator]: () => ({ next }), ...closeOnce(() => stop().finally(end)) };
}
