/**
 * What every variant is asked for: round trips one by one, or many messages in flight.
 *
 * @module
 */
import type { MeasureRequest, VariantOptions } from "../../src/bench/variant.ts";

/** Sizes, in bytes and messages. */
export interface Load {
  messageBytes: number;
  inFlight: number;
}

/** Reads what a variant is told. */
export function parseLoad({ messageBytes, inFlight }: VariantOptions): Load {
  return { messageBytes: Number(messageBytes), inFlight: Number(inFlight) };
}

/** Messages a second, or the median round trip in µs when there is one in flight. */
export function measureLoad(load: Load, { forMs }: MeasureRequest, request: () => Promise<unknown>): Promise<number> {
  return load.inFlight === 1 ? medianRoundTrip(forMs, request) : messagesPerSecond(load.inFlight, forMs, request);
}

async function medianRoundTrip(forMs: number, request: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + forMs;
  for (let from = performance.now(); from < end; ) {
    await request();
    const now = performance.now();
    times.push(now - from);
    from = now;
  }
  return medianUs(times);
}

async function messagesPerSecond(inFlight: number, forMs: number, request: () => Promise<unknown>): Promise<number> {
  let isOver = false;
  let messages = 0;
  const timer = setTimeout(() => {
    isOver = true;
  }, forMs);
  const start = performance.now();
  async function one() {
    while (!isOver) {
      await request();
      messages++;
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one));
  clearTimeout(timer);
  return messages / ((performance.now() - start) / 1_000);
}

/** The median of times in ms, in µs. */
export function medianUs(times: number[]): number {
  times.sort((a, b) => a - b);
  return (times[times.length >> 1] ?? 0) * 1_000;
}
