import { checkDurations } from "@ipc/core/durations";
import { tell } from "@ipc/core/tell";
import { type Answer, refusal } from "./answer.ts";
import {
  POST_SERVER_DEFAULTS,
  type PostServer,
  type PostServerEvent,
  type PostServerOptions,
  startPostServer,
} from "./post-server.ts";
import { openRecord, type PostRecord } from "./record.ts";
import type { Post } from "./take-posts.ts";

/** Options of {@link startSink}. */
export interface SinkOptions extends PostServerOptions {
  /** Waits for the disk before it answers: survives a power cut too, at the price of some ms a post. @default {false} */
  fsync?: boolean | undefined;
  /** A key is forgotten after so long, and the post with it after twice that at the latest, in ms. @default {86_400_000} */
  keepMs?: number | undefined;
  /** Keys that are remembered at once; more posts are refused with 503. @default {1_000_000} */
  maxKeys?: number | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: SinkEvent) => void) | undefined;
}

/** What a sink tells. */
export type SinkEvent =
  | PostServerEvent
  /** A post is in the record. */
  | { type: "recorded"; body: Uint8Array }
  /** It was there already, under the same key, and was answered as before. */
  | { type: "known"; body: Uint8Array }
  /** It could not be written. */
  | { type: "failed"; error: Error };

/** Defaults of options left out. */
export const SINK_DEFAULTS = { ...POST_SERVER_DEFAULTS, fsync: false, keepMs: 86_400_000, maxKeys: 1_000_000 } as const;

/**
 * Records every post before it answers 200, once a key, and remembers both when it is started again.
 *
 * @param file The record: a line of JSON for each post. One sink at a time may have it.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen; `EACCES` and its like, when it cannot write; `ERR_NO_TOKEN`.
 * @throws {SyntaxError} `ERR_RECORD` when the record is damaged.
 */
export async function startSink(file: string, options: SinkOptions = {}): Promise<PostServer> {
  const {
    fsync = SINK_DEFAULTS.fsync,
    keepMs = SINK_DEFAULTS.keepMs,
    maxKeys = SINK_DEFAULTS.maxKeys,
    onEvent,
  } = options;
  checkDurations({ keepMs });
  let record: PostRecord | undefined;

  async function take({ key, body }: Post): Promise<Answer> {
    if (!record) throw refusal(503, "the record is being read: try again");
    try {
      const { at, isKnown } = await record.add(key, body);
      tell(onEvent, { type: isKnown ? "known" : "recorded", body });
      return { status: 200, headers: JSON_CONTENT, body: `{"recorded":"${new Date(at).toISOString()}"}` };
    } catch (error) {
      throw toRefusal(error as NodeJS.ErrnoException, (failed) => tell(onEvent, { type: "failed", error: failed }));
    }
  }

  // First the port, then the record: a second sink that is started by mistake must not touch what belongs to the first.
  const server = await startPostServer(options, take);
  try {
    record = await openRecord(file, { fsync, keepMs, maxKeys });
  } catch (error) {
    await server.close();
    throw error;
  }
  const { url } = server;
  let closed: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    await server.close();
    await record?.close();
  }
  const close = () => (closed ??= closeAll());
  return { url, close, [Symbol.asyncDispose]: close };
}

const JSON_CONTENT = { "content-type": "application/json" };

function toRefusal(error: NodeJS.ErrnoException, onFailed: (error: Error) => void): Error {
  if (error.code === "ERR_KEY_REUSED") return refusal(422, "this Idempotency-Key belongs to another body");
  if (error.code === "ENOBUFS") return refusal(503, "there is no room for more keys: try again later");
  onFailed(error);
  return refusal(503, "the record cannot be written: try again later");
}
