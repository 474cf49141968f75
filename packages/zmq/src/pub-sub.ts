import { type ListenOptions, openListener } from "./listen.ts";
import { openConnection, type ReachOptions } from "./reach.ts";
import { checkFrame } from "./reply.ts";
import { receive } from "./socket.ts";
import { closeOnce, createConditions } from "./waiting.ts";

/** Sends each message to all who subscribed to the beginning of its topic. */
export interface Publisher extends AsyncDisposable {
  readonly url: string;
  /** Sends a message. Never waits: who is slower than `highWaterMark` messages misses some, and can tell by the numbers. */
  publish(topic: string, message: Uint8Array): Promise<void>;
  /**
   * Resolves with `true` when so many subscriptions match a topic: what is published from then on reaches them. Resolves
   * with `false` when it is closed before that.
   */
  waitForSubscribers(topic: string, count: number): Promise<boolean>;
  /** Ends; what was published is still delivered, for `graceMs` at most. */
  close(): Promise<void>;
}

/**
 * Publishes. A PUB socket drops what it has nobody for, so the first messages are lost while subscribers are still on
 * their way; an XPUB hands us their subscription frames, by which we know when they are there.
 */
export async function startPublisher(options: ListenOptions = {}): Promise<Publisher> {
  const { socket, url, maxFrameBytes, report, stop, end } = await openListener(
    // Every subscription and its end, not only the first to a topic; also the end by a connection that is lost.
    ({ XPublisher }, settings) => Object.assign(new XPublisher(settings), { verbosity: "allSubsUnsubs" }),
    options,
  );
  const conditions = createConditions();
  const subscriptions = new Map<string, number>();
  const numbers = new Map<string, bigint>();

  function onSubscription(topic: string, isNew: boolean): void {
    const before = subscriptions.get(topic);
    const count = Math.max(0, (before ?? 0) + (isNew ? 1 : -1));
    if (count === 0) subscriptions.delete(topic);
    else if (before !== undefined || subscriptions.size < MOST_TOPICS) subscriptions.set(topic, count);
    report({ type: "subscribed", topic, count });
    conditions.changed();
  }
  async function readSubscriptions(): Promise<void> {
    for (let frames = await receive(socket); frames; frames = await receive(socket)) {
      const [kind, ...topic] = frames[0] ?? [];
      const isSubscription = frames.length === 1 && (kind === 0 || kind === 1) && topic.length <= MOST_TOPIC_BYTES;
      if (isSubscription) onSubscription(Buffer.from(topic).toString(), kind === 1);
      else report({ type: "dropped", error: new Error("Cannot read frame: it is no subscription") });
    }
  }
  void readSubscriptions();

  async function publish(topic: string, message: Uint8Array): Promise<void> {
    checkFrame(message, maxFrameBytes);
    const number = (numbers.get(topic) ?? 0n) + 1n;
    numbers.set(topic, number);
    const numberFrame = Buffer.alloc(8);
    numberFrame.writeBigUInt64BE(number);
    await socket.send([topic, numberFrame, message]);
  }
  function countSubscriptions(topic: string): number {
    let count = 0;
    for (const [prefix, times] of subscriptions) if (topic.startsWith(prefix)) count += times;
    return count;
  }
  return {
    url,
    publish,
    waitForSubscribers: (topic, count) => conditions.until(() => countSubscriptions(topic) >= count),
    ...closeOnce(async () => {
      conditions.end();
      await stop();
      end();
    }),
  };
}

const MOST_TOPIC_BYTES = 255;
/** What a greedy subscriber, or a publisher of ever new topics, can make us remember. */
const MOST_TOPICS = 10_000;

/** Options of {@link subscribe}. */
export interface SubscriberOptions extends ReachOptions {
  /** Beginnings of topics; `""` is all. @default {[""]} */
  topics?: readonly string[] | undefined;
}

/** What was published. */
export interface Publication {
  topic: string;
  /** Counts the messages of this topic, from 1. */
  number: bigint;
  message: Uint8Array;
}

/** Messages as they are published. */
export interface Subscription extends AsyncDisposable, AsyncIterable<Publication> {
  readonly url: string;
  /** Ends; what has not been read is lost. */
  close(): Promise<void>;
}

/** Subscribes to a publisher; waits for it to be there, and subscribes again by itself after an outage. */
export async function subscribe(url: string, options: SubscriberOptions = {}): Promise<Subscription> {
  const { topics = [""] } = options;
  const { socket, report, end } = await openConnection(
    ({ Subscriber }, settings) => {
      // Else it would wait to tell a publisher that is gone that it unsubscribes.
      const subscriber = new Subscriber({ ...settings, linger: 0 });
      subscriber.subscribe(...topics);
      return subscriber;
    },
    url,
    options,
  );
  const last = new Map<string, bigint>();

  /** Looks for a gap; a publisher that has started anew counts from 1 again. */
  function checkNumber(topic: string, number: bigint): void {
    const count = Number(number - (last.get(topic) ?? number - 1n) - 1n);
    if (last.has(topic) || last.size < MOST_TOPICS) last.set(topic, number);
    if (count > 0) report({ type: "lost", topic, count });
  }
  async function* read(): AsyncGenerator<Publication, undefined> {
    for (let frames = await receive(socket); frames; frames = await receive(socket)) {
      const [name, numberFrame, message] = frames;
      if (!name || numberFrame?.length !== 8 || !message || frames.length !== 3) {
        const text = `Cannot read message of ${frames.length} frames: it must be a topic, a number and a message`;
        report({ type: "dropped", error: new Error(text) });
        continue;
      }
      const [topic, number] = [name.toString(), numberFrame.readBigUInt64BE()];
      checkNumber(topic, number);
      yield { topic, number, message };
    }
    return undefined;
  }
  return { url, [Symbol.asyncIterator]: read, ...closeOnce(async () => end()) };
}
