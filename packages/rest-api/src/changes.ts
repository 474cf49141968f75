/**
 * Live changes over server-sent events (the HTML standard, section 9.2): whoever writes, through this instance or
 * another one on the same database, all who follow hear of it.
 *
 * @module
 */
import type { ServerResponse } from "node:http";
import { tell } from "@ipc/core/tell";
import type { Change } from "./books.ts";
import { peerOf } from "./events.ts";
import type { Settings } from "./options.ts";
import { httpError } from "./problems.ts";
import type { Store } from "./store.ts";

/** Tells those who follow. The database is read only while there is one. */
export interface ChangeFeed {
  /**
   * Finds out where a follower goes on.
   *
   * @param lastEventId What the follower has seen: the header `Last-Event-ID`.
   * @throws {Error} 400 when that is no id, 503 above `maxWatchers`.
   */
  prepare(lastEventId: string | undefined): Promise<Start>;
  /** Writes the head and from now on the changes. */
  follow(response: ServerResponse, start: Start, headers: Record<string, string>): void;
  /** Ends all streams. */
  close(): void;
}

/** `reset`: what the follower has seen is too long ago, or of another database; it has to fetch everything again. */
interface Start {
  lastId: number;
  event: "ready" | "resumed" | "reset";
}

interface Watcher {
  response: ServerResponse;
  peer: string;
  lastId: number;
}

/** What is read at once. */
const PAGE = 500;
/** 1 MiB of changes that somebody has not taken: he is not coming back for them. */
const MAX_UNREAD_BYTES = 1_048_576;

/** Nobody follows yet, nothing is read. */
export function createChangeFeed(store: Store, { maxWatchers, pollMs, heartbeatMs, onEvent }: Settings): ChangeFeed {
  const watchers = new Set<Watcher>();
  let timers: NodeJS.Timeout[] = [];
  let isReading = false;
  let isFailing = false;
  let isClosed = false;

  async function readChanges() {
    if (isReading) return;
    isReading = true;
    try {
      for (let count = PAGE; count === PAGE && watchers.size > 0; ) {
        const from = leastOf(watchers);
        const changes = await store.changesAfter(from, PAGE);
        for (const change of changes) sendChange(change, from);
        count = changes.length;
      }
      isFailing = false;
    } catch (error) {
      // Said once; those who follow wait, and miss nothing.
      if (!isFailing) tell(onEvent, { type: "failed", error: error as Error });
      isFailing = true;
    } finally {
      isReading = false;
    }
  }

  /** Whoever came meanwhile and has seen less than this page begins with is served by the next reading. */
  function sendChange(change: Change, from: number) {
    const text = `id: ${change.id}\nevent: change\ndata: ${JSON.stringify(change)}\n\n`;
    for (const watcher of watchers) {
      if (watcher.lastId < from || watcher.lastId >= change.id) continue;
      watcher.lastId = change.id;
      send(watcher, text);
    }
  }

  function sendHeartbeat() {
    for (const watcher of watchers) send(watcher, ":\n\n");
  }

  function send(watcher: Watcher, text: string) {
    const { response, peer } = watcher;
    response.write(text);
    if (response.writableLength <= MAX_UNREAD_BYTES) return;
    const reason = `${response.writableLength} bytes of changes are not read, limit is ${MAX_UNREAD_BYTES}`;
    tell(onEvent, { type: "dropped", peer, reason });
    leave(watcher);
    response.destroy();
  }

  function enter(watcher: Watcher) {
    watchers.add(watcher);
    tell(onEvent, { type: "following", peer: watcher.peer });
    if (watchers.size > 1) return;
    timers = [setInterval(readChanges, pollMs), setInterval(sendHeartbeat, heartbeatMs)];
  }

  function leave(watcher: Watcher) {
    if (!watchers.delete(watcher)) return;
    tell(onEvent, { type: "left", peer: watcher.peer });
    if (watchers.size > 0) return;
    for (const timer of timers) clearInterval(timer);
  }

  return {
    async prepare(lastEventId) {
      if (isClosed || watchers.size >= maxWatchers) throw httpError(503, "Too many follow the changes already");
      if (lastEventId !== undefined && !/^\d{1,15}$/.test(lastEventId)) {
        throw httpError(400, "Last-Event-ID takes the id of a change");
      }
      const { first, last } = await store.changeRange();
      if (lastEventId === undefined) return { lastId: last, event: "ready" };
      const lastId = Number(lastEventId);
      const isKept = lastId <= last && lastId >= first - 1;
      return isKept ? { lastId, event: "resumed" } : { lastId: last, event: "reset" };
    },
    follow(response, { lastId, event }, headers) {
      // Gone while we looked where to begin.
      if (response.destroyed) return;
      // Between two of its heartbeats nothing moves, and that is right.
      response.socket?.setTimeout(0);
      response.writeHead(200, { ...headers, "content-type": "text/event-stream", "cache-control": "no-store" });
      const watcher = { response, peer: peerOf(response.socket), lastId };
      response.on("close", () => leave(watcher));
      if (isClosed) return void response.end();
      enter(watcher);
      // Drawn by chance: a thousand who lost their server do not come back at the same moment.
      const retryMs = 500 + Math.round(Math.random() * 1_000);
      send(watcher, `retry: ${retryMs}\nid: ${lastId}\nevent: ${event}\ndata: {}\n\n`);
    },
    close() {
      isClosed = true;
      for (const watcher of [...watchers]) {
        leave(watcher);
        watcher.response.end();
      }
    },
  };
}

function leastOf(watchers: Iterable<Watcher>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { lastId } of watchers) least = Math.min(least, lastId);
  return least;
}
