import { randomUUID } from "node:crypto";
import { checkDurations } from "@ipc/core/durations";
import type { Router } from "zeromq";
import { type ListenOptions, openListener } from "./listen.ts";
import { parseRequest, requestError, toErrorFrames } from "./reply.ts";
import { type Create, receive, SOCKET_DEFAULTS } from "./socket.ts";
import { closeOnce, createConditions } from "./waiting.ts";

/** Options of {@link startBroker}. */
export interface BrokerOptions extends ListenOptions {
  /** Where workers connect; `url` is for clients. @default {"tcp://127.0.0.1:0"} */
  workersUrl?: string | undefined;
  /** How often a worker gives a sign of life; after 2.5 times that its request goes to another one. @default {1_000} */
  heartbeatMs?: number | undefined;
  /** How many requests may be without an answer; further ones are refused. @default {10_000} */
  maxQueued?: number | undefined;
  /** After how many lost workers a request is given up, since it may be what kills them. @default {10} */
  maxTries?: number | undefined;
}

/** Defaults of options left out. */
export const BROKER_DEFAULTS = { ...SOCKET_DEFAULTS, heartbeatMs: 1_000, maxQueued: 10_000, maxTries: 10 } as const;

/** A broker that runs. */
export interface Broker extends AsyncDisposable {
  /** For clients. */
  readonly url: string;
  /** For clients, for workers. */
  readonly urls: readonly [clients: string, workers: string];
  /** Takes no more requests, waits at most `graceMs` for the replies that are owed, and ends. */
  close(): Promise<void>;
}

interface Job {
  id: string;
  envelope: Uint8Array[];
  body: Uint8Array;
  tries: number;
}

interface Worker {
  name: string;
  identity: Uint8Array;
  seenAt: number;
  job: Job | undefined;
}

/**
 * Hands each request to the worker that has been idle longest, and to another one when that worker dies: a request may be
 * done twice, and is answered once. The "Paranoid Pirate" of the ZeroMQ guide, chapter 4. Clients are those of a server.
 */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const { workersUrl, heartbeatMs = BROKER_DEFAULTS.heartbeatMs } = options;
  const { maxQueued = BROKER_DEFAULTS.maxQueued, maxTries = BROKER_DEFAULTS.maxTries } = options;
  checkDurations({ heartbeatMs });
  const front = await openListener(router, options);
  const back = await openListener(router, { ...options, url: workersUrl }).catch((error) => {
    front.end();
    throw error;
  });
  const { report, graceMs } = front;
  /** All that are not answered. */
  const jobs = new Map<string, Job>();
  /** Those of them that no worker has; may hold some that have been answered late. */
  const queue: Job[] = [];
  const workers = new Map<string, Worker>();
  /** In the order in which they became so. */
  const idle = new Set<Worker>();
  const { changed, until } = createConditions();
  let isClosing = false;

  function reply(envelope: Uint8Array[], frames: (Uint8Array | string)[]): void {
    const onError = (error: Error) => report({ type: "undeliverable", error });
    front.socket.send([...envelope, ...frames]).catch(onError);
  }
  function refuse(envelope: Uint8Array[], error: Error): void {
    report({ type: "failed", error });
    reply(envelope, toErrorFrames(error));
  }
  function onRequest(frames: Uint8Array[]): void {
    const { envelope, body } = parseRequest(frames);
    if (!body) refuse(envelope, requestError());
    else if (jobs.size >= maxQueued) refuse(envelope, failure("ENOBUFS", `${jobs.size} wait, limit is ${maxQueued}`));
    else {
      const job = { id: randomUUID(), envelope, body, tries: 0 };
      jobs.set(job.id, job);
      queue.push(job);
      dispatch();
    }
  }
  function dispatch(): void {
    for (const worker of idle) {
      let job = queue.shift();
      while (job && !jobs.has(job.id)) job = queue.shift();
      if (!job) return;
      idle.delete(worker);
      worker.job = job;
      // It is gone, and has not been missed yet.
      back.socket.send([worker.identity, "JOB", job.id, job.body]).catch(() => lose(worker));
    }
  }
  function onReply(id: string, frames: Uint8Array[]): void {
    const job = jobs.get(id);
    // Else another worker has answered it, when this one was taken for dead.
    if (job) reply(job.envelope, frames);
    jobs.delete(id);
    changed();
  }

  function onWorkerFrames([identity, kind, id, ...frames]: Uint8Array[]): void {
    const name = Buffer.from(identity ?? "").toString("hex");
    let worker = workers.get(name);
    if (!worker && identity && String(kind) === "READY") {
      worker = { name, identity, seenAt: 0, job: undefined };
      workers.set(name, worker);
      report({ type: "worker-ready", worker: name });
      rest(worker);
    }
    if (worker) worker.seenAt = performance.now();
    if (String(kind) === "REPLY") {
      onReply(String(id), frames);
      // Else it was taken for dead while it was at an earlier one, and has a new one waiting.
      if (worker?.job?.id === String(id)) rest(worker);
    }
    if (worker && String(kind) === "BYE") lose(worker);
  }
  function rest(worker: Worker): void {
    worker.job = undefined;
    idle.add(worker);
    dispatch();
  }
  function lose(worker: Worker): void {
    if (!workers.delete(worker.name)) return;
    idle.delete(worker);
    report({ type: "worker-gone", worker: worker.name });
    const { job } = worker;
    if (!job || !jobs.has(job.id)) return;
    if (++job.tries < maxTries) {
      queue.unshift(job);
      dispatch();
    } else {
      jobs.delete(job.id);
      refuse(job.envelope, failure("ERR_WORKERS_LOST", `${job.tries} workers were lost over it`));
      changed();
    }
  }
  function expire(): void {
    const latest = performance.now() - 2.5 * heartbeatMs;
    for (const worker of [...workers.values()]) if (worker.seenAt < latest) lose(worker);
  }
  // After what has come meanwhile is read: if this process was busy, the workers were not silent.
  const timer = setInterval(() => setImmediate(expire), heartbeatMs / 2);

  async function read(socket: Router, onFrames: (frames: Uint8Array[]) => void): Promise<void> {
    for (let frames = await receive(socket); frames; frames = await receive(socket)) {
      if (isClosing && socket === front.socket) return;
      onFrames(frames);
    }
  }
  void read(front.socket, onRequest);
  void read(back.socket, onWorkerFrames);

  const handle = closeOnce(async () => {
    isClosing = true;
    await until(() => jobs.size === 0, graceMs);
    clearInterval(timer);
    await Promise.all([front.stop(), back.stop()]);
    front.end();
    back.end();
  });
  return { url: front.url, urls: [front.url, back.url], ...handle };
}

function failure(code: string, reason: string): Error {
  return Object.assign(new Error(`Cannot answer request: ${reason}`), { code });
}

/** What cannot be delivered is told, and never waited for. */
const router: Create<Router> = ({ Router }, settings) => new Router({ ...settings, mandatory: true, sendTimeout: 0 });
