import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS, retry } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { checkToken } from "@ipc/core/token";
import { parseAddress } from "@ipc/core/url";
import { whenAborted } from "@ipc/core/when-aborted";
import type { TSchema } from "typebox";
import { Compile, type Validator } from "typebox/compile";
import { Book, type BookDraft, BookPage, type BookPatch, type ListQuery, searchOf } from "./books.ts";
import { answerError, parseJson, protocolError } from "./client-errors.ts";
import { createConnection, type Question } from "./connection.ts";
import { type Followed, type FollowOptions, follow } from "./follow.ts";

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = {
  timeoutMs: 5_000,
  waitMs: DEFAULT_WAIT_MS,
  maxConnections: 50,
  maxInFlight: 10_000,
  maxResponseBytes: 1_048_576,
  silenceMs: 15_000,
  graceMs: 3_000,
} as const;

/**
 * Connects to a server of books; waits for one that is not there yet.
 *
 * @param url Such as `http://127.0.0.1:3000`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {RangeError} when a duration is out of range, or the token is none.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`; `ERR_WRONG_TOKEN` at once.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const settings = { ...CLIENT_DEFAULTS, ...given };
  const { timeoutMs, waitMs, silenceMs, graceMs } = settings;
  const { signal, onEvent } = options;
  parseAddress(url, "http");
  checkDurations({ timeoutMs, waitMs, silenceMs, graceMs });
  checkToken(options.token);
  const connection = createConnection(url, settings);

  async function ask<T extends TSchema>(shape: Shape<T>, question: Question, expected = 200) {
    const answer = await connection.ask(question);
    if (answer.status !== expected) throw answerError(question.action, answer);
    return parseBody(shape, question.action, answer.body);
  }

  const close = () => connection.close(graceMs);
  const client: Client = {
    url,
    list: (query = {}) => ask(PAGE, { action: "list books", method: "GET", path: `/books${searchOf(query)}` }),
    get: (id) => ask(BOOK, { action: `get book '${id}'`, method: "GET", path: pathOf(id) }),
    create: (draft, id) => ask(BOOK, id === undefined ? posting(draft) : creating(id, draft), 201),
    replace: (book, draft) => ask(BOOK, changing("replace", "PUT", book, draft)),
    patch: (book, patch) => ask(BOOK, changing("change", "PATCH", book, patch)),
    async remove(book) {
      const question = changing("delete", "DELETE", book);
      const answer = await connection.ask(question);
      if (answer.status !== 204) throw answerError(question.action, answer);
    },
    follow: ({ after, signal: until } = {}) =>
      follow(
        connection,
        url,
        { after, signal: until ? AbortSignal.any([until, connection.closing]) : connection.closing },
        (error) => tell(onEvent, { type: "disconnected", url, error }),
      ),
    close,
    [Symbol.asyncDispose]: close,
  };

  const forget = signal && whenAborted(signal, () => void connection.close(0));
  try {
    const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
    const answer = await retry(() => connection.askOnce(GREETING), { waitMs, signal, onWaiting });
    if (answer.status !== 200) throw answerError(`connect to ${url}`, answer);
  } catch (error) {
    await connection.close(0);
    throw error;
  } finally {
    forget?.();
  }
  return client;
}

/** What a program around a client lets its user choose. */
export const CLIENT_FLAGS = {
  token: { type: "text", help: "what the server wants to be shown" },
  timeoutMs: { type: "number", default: CLIENT_DEFAULTS.timeoutMs, min: 1, help: "time for an answer" },
  waitMs: { type: "number", default: CLIENT_DEFAULTS.waitMs, help: "time to wait for a server; 0 fails at once" },
} as const;

/** Options of {@link connect}. */
export interface ClientOptions {
  /** What is shown to a server that wants a token. @default {none} */
  token?: string | undefined;
  /** How long a request may take, in ms, connecting and repeating included. @default {5_000} */
  timeoutMs?: number | undefined;
  /** How long to wait for a server that is not there yet, in ms; 0 tries once. @default {10_000} */
  waitMs?: number | undefined;
  /** Connections at once; further requests wait for one. @default {50} */
  maxConnections?: number | undefined;
  /** Requests at once, waiting ones included; more are refused. @default {10_000} */
  maxInFlight?: number | undefined;
  /** The longest answer in bytes. @default {1_048_576} */
  maxResponseBytes?: number | undefined;
  /** A server that says nothing for so long while its changes are followed, in ms, is given up and asked anew. @default {15_000} */
  silenceMs?: number | undefined;
  /** How long `close()` waits for the answers it is owed, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** Ends the waiting in `connect()`. */
  signal?: AbortSignal | undefined;
  /** What happens, for a log. Its result is ignored; what it throws is shown as a warning. */
  onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** What a client tells. */
export type ClientEvent =
  /** Nobody is there yet; said once. */
  | { type: "waiting"; url: string; error: Error }
  /** The connection by which changes are followed was lost; it is made again. */
  | { type: "disconnected"; url: string; error: Error };

/** A book as its reader knows it: who writes says which version he has seen. */
export type Seen = Pick<Book, "id" | "version">;

/**
 * A server of books. What it refuses rejects with an {@link AnswerError}: its `code`, `status` and `problem` say why.
 * `ECONNREFUSED` and its like: nobody was there in time, nothing was done. `ECONNRESET`, `ETIMEDOUT`: unknown whether it
 * was done; what only reads has been tried again already. `ENOBUFS` above `maxInFlight`. `EPIPE` the client is closed.
 */
export interface Client {
  readonly url: string;
  /** One page; `next` is the `cursor` of the following one. */
  list(query?: ListQuery): Promise<BookPage>;
  get(id: string): Promise<Book>;
  /** Under an id that the server chooses, or under yours: `ERR_CONFLICT` when that is taken, as after a lost answer. */
  create(draft: BookDraft, id?: string): Promise<Book>;
  /** `ERR_CONFLICT` when it is not of that version any more. */
  replace(book: Seen, draft: BookDraft): Promise<Book>;
  /** `ERR_CONFLICT` when it is not of that version any more. `null` removes `rating` or `notes`. */
  patch(book: Seen, patch: BookPatch): Promise<Book>;
  /** `ERR_CONFLICT` when it is not of that version any more. */
  remove(book: Seen): Promise<void>;
  /** What happens from now on, or after a change that you name. Connects again by itself, and misses nothing. */
  follow(options?: FollowOptions): AsyncIterable<Followed>;
  /** Lets the answers it is owed come, within `graceMs`, and disconnects. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

type Shape<T extends TSchema> = Validator<Record<never, never>, T>;
const BOOK = Compile(Book);
const PAGE = Compile(BookPage);
const GREETING: Question = { action: "connect", method: "GET", path: "/health" };

function posting(draft: BookDraft): Question {
  return { action: "create book", method: "POST", path: "/books", headers: JSON_TYPE, body: JSON.stringify(draft) };
}

function creating(id: string, draft: BookDraft): Question {
  const headers = { ...JSON_TYPE, "if-none-match": "*" };
  return { action: "create book", method: "PUT", path: pathOf(id), headers, body: JSON.stringify(draft) };
}

function changing(verb: string, method: "PUT" | "PATCH" | "DELETE", { id, version }: Seen, body?: unknown): Question {
  const condition = { "if-match": `"${version}"` };
  const question = { action: `${verb} book '${id}'`, method, path: pathOf(id) };
  if (body === undefined) return { ...question, headers: condition };
  const type = method === "PATCH" ? PATCH_TYPE : JSON_TYPE;
  return { ...question, headers: { ...type, ...condition }, body: JSON.stringify(body) };
}

const JSON_TYPE = { "content-type": "application/json" };
const PATCH_TYPE = { "content-type": "application/merge-patch+json" };

function parseBody<T extends TSchema>(shape: Shape<T>, action: string, body: string) {
  const value = parseJson(action, body);
  if (!shape.Check(value)) throw protocolError(action, "the answer is not what was agreed on");
  return value;
}

function pathOf(id: string): string {
  return `/books/${encodeURIComponent(id)}`;
}
