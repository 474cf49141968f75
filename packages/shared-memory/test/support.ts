import { once } from "node:events";
import type { TestContext } from "node:test";
import type { Worker } from "node:worker_threads";
import { createRing, type Ring, type RingEvent, type RingOptions, startThread } from "../src/index.ts";

/** Text as a message. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A message as text. */
export const text = (message: Uint8Array | undefined): string | undefined =>
  message && new TextDecoder().decode(message);

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);

/** A ring for one test, and what it told. */
export function makeRing(t: TestContext, options: RingOptions = {}) {
  const events: RingEvent[] = [];
  const ring = createRing({ graceMs: 0, ...options, onEvent: (event) => events.push(event) });
  t.after(() => ring.close());
  return { ring, events };
}

/** What a thread of `fixtures/` posts. */
export interface Report {
  is: "ready" | "waiting" | "full" | "recovered" | "done" | "error";
  /** When, by the thread's clock, in ms. */
  at: number;
  [figure: string]: unknown;
}

/** A thread of `fixtures/`, and what it posted. */
export interface TestThread {
  readonly worker: Worker;
  readonly reports: readonly Report[];
  /** Resolves with its first report of a kind, posted already or still to come; rejects when it ends without. */
  told(is: Report["is"]): Promise<Report>;
  /** Resolves when it has ended. */
  readonly ended: Promise<unknown>;
  /** Ends it wherever it is, without a chance to close anything. */
  kill(): Promise<unknown>;
}

/** Starts a thread; it is ended with the test. */
export function startFixture(
  t: TestContext,
  name: string,
  data: Record<string, unknown>,
  { ring, isWatched = true }: { ring?: Ring; isWatched?: boolean } = {},
): TestThread {
  const worker = startThread(new URL(`./fixtures/${name}.ts`, import.meta.url), { ...data, memory: ring?.memory });
  if (isWatched) ring?.watch(worker);
  const reports: Report[] = [];
  const waiting = new Set<() => void>();
  const state = { hasEnded: false, error: undefined as unknown };
  const look = () => {
    for (const one of [...waiting]) one();
  };
  worker.on("message", (report: Report) => {
    reports.push(report);
    look();
  });
  worker.on("error", (error) => {
    state.error = error;
  });
  const ended = once(worker, "exit").finally(() => {
    state.hasEnded = true;
    look();
  });
  ended.catch(() => {});
  t.after(() => worker.terminate());

  return {
    worker,
    reports,
    ended,
    told: (is) =>
      new Promise((resolve, reject) => {
        const one = () => {
          const report = reports.find((each) => each.is === is);
          if (!report && !state.hasEnded) return;
          waiting.delete(one);
          if (report) return resolve(report);
          const posted = JSON.stringify(reports);
          reject(new Error(`${name} ended without '${is}': ${posted}`, { cause: state.error }));
        };
        waiting.add(one);
        one();
      }),
    kill: () => worker.terminate(),
  };
}
