import { randomUUID } from "node:crypto";
import { checkDurations } from "@ipc/core/durations";
import { DEFAULT_WAIT_MS, retry } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { formatAddress, parseAddress } from "@ipc/core/url";
import { io, type Socket } from "socket.io-client";
import { createInbox } from "./inbox.ts";
import { type ConversationEvent, createConversation } from "./page/conversation.js";

/** Options of {@link connect}. */
export interface ClientOptions {
  /** Comes into the room under this name at once; else call `join()`. */
  name?: string | undefined;
  /** @default {"lobby"} */
  room?: string | undefined;
  /** A secret by which a name is one's own again, also of a program that was started anew. @default {a random one} */
  session?: string | undefined;
  /** How long to wait for a server that is not there yet, in ms; 0 tries once. @default {10_000} */
  waitMs?: number | undefined;
  /** How long to wait for an answer before it is asked for again, in ms. @default {5_000} */
  timeoutMs?: number | undefined;
  /** How long `close()` waits until the server has what was said, in ms. @default {3_000} */
  graceMs?: number | undefined;
  /** What happens to the connection, for a log. */
  onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** What a client tells. */
export type ClientEvent = { type: "waiting"; url: string; error: Error };

/** Defaults of options left out. */
export const CLIENT_DEFAULTS = { room: "lobby", waitMs: DEFAULT_WAIT_MS, timeoutMs: 5_000, graceMs: 3_000 } as const;

/** Somebody in a chat. Iterate over it for all that happens, in order. A reader that is far behind disconnects, and catches up. */
export interface Client extends AsyncIterable<ConversationEvent> {
  readonly url: string;
  /** Who is in the room. */
  readonly people: string[];
  /**
   * Comes into a room: one client is in one.
   * @throws {Error} `ERR_JOINED`, `ERR_NAME_TAKEN`, `ERR_NAME`, `ERR_ROOM`, `ERR_ROOM_FULL`.
   */
  join(room: string, name: string): Promise<void>;
  /**
   * Says something to the room; waits over cuts, and sends again what was not answered.
   * @returns its number.
   * @throws {Error} `ERR_TEXT`, `ERR_TOO_LARGE`; `EPIPE` after `close()`.
   */
  say(text: string): Promise<number>;
  /**
   * Says something to one person; resolves when they have it.
   * @throws {Error} `ERR_NOBODY`, `ERR_AWAY`, and as `say()` does.
   */
  whisper(to: string, text: string): Promise<void>;
  /** Lets the others know. */
  typing(isTyping: boolean): void;
  /** Sends what waits within `graceMs`, leaves, disconnects. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Connects to a chat; waits for a server that is not there yet.
 *
 * @param url Such as `http://127.0.0.1:33000`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED` and its like when nobody is there within `waitMs`; `ERR_REFUSED` when it does not want us;
 *   as `join()` does.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const { name, session = randomUUID(), onEvent } = options;
  const { room, waitMs, timeoutMs, graceMs } = readClientOptions(options);
  const socket = io(formatAddress("http", parseAddress(url, "http")), {
    autoConnect: false,
    forceNew: true,
    // One connection: no polling, which behind a balancer would need every request at the same server.
    transports: ["websocket"],
    timeout: timeoutMs,
    // By ourselves until somebody is there.
    reconnection: false,
    reconnectionDelay: 100,
    reconnectionDelayMax: 1_000,
  });
  const inbox = createInbox<ConversationEvent>({
    // The server keeps nothing for us meanwhile; what is missed is in the history.
    onFull: () => socket.disconnect(),
    onRoom: () => socket.connect(),
  });
  const conversation = createConversation(socket, {
    session,
    createId: randomUUID,
    ackMs: timeoutMs,
    onEvent: inbox.put,
  });
  try {
    const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
    await retry(() => dial(socket, url), { waitMs, onWaiting });
    socket.io.reconnection(true);
    if (name !== undefined) await conversation.join(room, name);
  } catch (error) {
    socket.disconnect();
    throw error;
  }

  let closing: Promise<void> | undefined;
  const close = () => (closing ??= conversation.leave(graceMs).finally(inbox.end));
  const { join, say, whisper, typing } = conversation;
  return {
    ...{ url, join, say, whisper, typing, close },
    get people() {
      return conversation.people();
    },
    [Symbol.asyncIterator]: () => inbox[Symbol.asyncIterator](),
    [Symbol.asyncDispose]: close,
  };
}

function readClientOptions(options: ClientOptions) {
  const {
    room = CLIENT_DEFAULTS.room,
    waitMs = CLIENT_DEFAULTS.waitMs,
    timeoutMs = CLIENT_DEFAULTS.timeoutMs,
    graceMs = CLIENT_DEFAULTS.graceMs,
  } = options;
  checkDurations({ waitMs, timeoutMs, graceMs });
  return { room, waitMs, timeoutMs, graceMs };
}

function dial(socket: Socket, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve).once("connect_error", (error) => reject(connectError(url, error)));
    socket.connect();
  });
}

/** The transport's own words are in what Socket.IO calls `description`. */
function connectError(url: string, error: Error & { description?: { error?: NodeJS.ErrnoException } }): Error {
  const cause: NodeJS.ErrnoException = error.description?.error ?? error;
  const isUnwanted = / 4\d\d$/.test(cause.message);
  const code = isUnwanted ? "ERR_REFUSED" : (cause.code ?? "ETIMEDOUT");
  const reason = code === "ECONNREFUSED" ? "nobody listens there" : cause.message;
  return Object.assign(new Error(`Cannot connect to ${url}: ${reason}`, { cause }), { code });
}
