/**
 * The other end of `/changes`: server-sent events as an async iterator that survives restarts of the server.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Compile } from "typebox/compile";
import { Change } from "./books.ts";
import { answerError, connectionError, parseJson, protocolError } from "./client-errors.ts";
import type { Connection } from "./connection.ts";

/** What a follower hears. `lastId` is what to go on from. */
export type Followed =
  /** Everything from now on will be told. */
  | { type: "ready"; lastId: number }
  /** Too much happened while nobody listened: fetch everything again. */
  | { type: "reset"; lastId: number }
  | { type: "change"; lastId: number; change: Change };

/** How changes are followed. */
export interface FollowOptions {
  /** Go on behind this change: the `lastId` of what was heard last. @default {from now on} */
  after?: number | undefined;
  /** Ends it: the iterator returns. */
  signal?: AbortSignal | undefined;
}

/** Pauses before the next try grow up to this, in ms. */
const LONGEST_PAUSE_MS = 2_000;

/**
 * Follows the changes until `signal` aborts; connects again whenever the connection is lost, and misses nothing.
 *
 * @param onLost Called when a connection is lost or cannot be made.
 * @throws {Error} when the server refuses, or is none of this kind.
 */
export async function* follow(
  connection: Connection,
  url: string,
  { after: lastId, signal }: { after: number | undefined; signal: AbortSignal },
  onLost: (error: Error) => void,
): AsyncGenerator<Followed, void> {
  for (let pauseMs = 50; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      for await (const event of readStream(connection, lastId, signal)) {
        pauseMs = 50;
        lastId = event.lastId;
        // Its place in the stream is kept: nothing that a follower has to know of.
        if (event.type !== "resumed") yield event;
      }
      onLost(new Error(`Cannot follow changes at ${url}: the server ended it`));
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error)) throw error;
      onLost(connectionError("follow changes", url, error));
    }
    await sleep(Math.random() * pauseMs, undefined, { signal }).catch(() => {});
  }
}

/** What no further try would mend: a refusal, or somebody who speaks something else. */
function isFinal(error: unknown): boolean {
  const { code, status = 0 } = error as { code?: unknown; status?: number };
  return code === "ERR_PROTOCOL" || (status >= 400 && status < 500 && status !== 429);
}

type Heard = Followed | { type: "resumed"; lastId: number };

async function* readStream(
  { streams, credentials }: Connection,
  after: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<Heard> {
  const seen = after === undefined ? {} : { "last-event-id": String(after) };
  const headers = { accept: "text/event-stream", ...seen, ...credentials };
  const answer = await streams.request({ method: "GET", path: "/changes", headers, signal });
  if (answer.statusCode !== 200) {
    await answer.body.dump();
    throw answerError("follow changes", { status: answer.statusCode, headers: answer.headers, body: "" });
  }
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of answer.body) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    if (rest.length > MAX_EVENT_CHARACTERS) throw protocolError("follow changes", "an event is too long");
    for (const block of blocks) {
      const event = parseEvent(block.split("\n"));
      if (event) yield event;
    }
  }
}

/** A change is a book, of a few KiB at most. */
const MAX_EVENT_CHARACTERS = 262_144;

const CHANGE = Compile(Change);

/** Nothing for a comment, which is a heartbeat, and for what later servers may tell. */
function parseEvent(lines: string[]): Heard | undefined {
  const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const type = field("event");
  if (type === undefined) return undefined;
  const lastId = Number(field("id"));
  if (!Number.isSafeInteger(lastId)) throw protocolError("follow changes", "an event has no id");
  if (type === "ready" || type === "resumed" || type === "reset") return { type, lastId };
  const change = type === "change" ? parseJson("follow changes", field("data") ?? "") : undefined;
  return CHANGE.Check(change) ? { type: "change", lastId, change } : undefined;
}
