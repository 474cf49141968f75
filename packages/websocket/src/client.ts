import { setTimeout as sleep } from "node:timers/promises";
import { retry } from "@ipc/core/retry";
import { tell } from "@ipc/core/tell";
import { cannotSend, readEnding } from "./client-errors.ts";
import { type ClientOptions, readClientOptions } from "./client-options.ts";
import { Connection } from "./connection.ts";
import { dial } from "./dial.ts";
import { EchoLine } from "./echo-line.ts";
import { Inbox } from "./inbox.ts";
import { CLOSE, type Ending, formatMessage, type Protocol, SESSION } from "./protocol.ts";
import { SessionLine } from "./session-line.ts";

/**
 * A connection that comes back by itself; in a session with everything that was on its way. What the server sends comes
 * out of `for await (const message of client)`, which ends when either side has closed, and throws when it is given up.
 */
export interface Client extends AsyncIterable<unknown> {
  readonly url: string;
  readonly protocol: Protocol;
  /**
   * Sends a message. In a session it is kept until the server has it; in `ipc.echo.v1` what is on its way at a cut is lost.
   *
   * @returns Whether more may follow at once; else await `drained()` first.
   * @throws {TypeError} `ERR_MALFORMED` for what JSON cannot say.
   * @throws {RangeError} `ERR_MESSAGE_TOO_LARGE`; `ENOBUFS` when too much waits.
   * @throws {Error} `ENOTCONN` without a session, while there is no connection; `EPIPE` when it is closed.
   */
  send(message: unknown): boolean;
  /** Resolves when more may be sent. @throws what the connection was given up with. */
  drained(): Promise<void>;
  /** Sees to it that what was sent is there, within `graceMs`, and ends. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Connects to a server; waits for one that is not there yet, and comes back after a cut.
 *
 * @param url Such as `ws://127.0.0.1:9905`, or `wss://…`.
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`; `ERR_REFUSED` when the server does not
 *   want this client.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const settings = readClientOptions(url, options);
  const { protocol, maxPayload, waitMs, connectTimeoutMs, graceMs, onEvent } = settings;
  const closing = new AbortController();
  const inbox = new Inbox(settings.maxBufferedBytes, (isHeld) => connection?.hold(isHeld));
  const line = new (protocol === SESSION ? SessionLine : EchoLine)(url, settings, inbox);
  // What waits here is bounded before it is sent: whoever sends is told.
  const unbounded = { pauseAtBytes: Number.POSITIVE_INFINITY, maxBufferedBytes: Number.POSITIVE_INFINITY };
  const connectionSettings = { ...settings, ...unbounded, onEnd };
  let connection: Connection | undefined;
  let returning = Promise.resolve();
  let givenUp: Error | undefined;
  let onLast = () => {};

  async function open(signal: AbortSignal): Promise<void> {
    const ws = await dial(url, settings, signal);
    const opened = new Connection(ws, connectionSettings);
    connection = opened;
    opened.speaker = line;
    ws.resume();
    const timer = setTimeout(() => opened.drop(), connectTimeoutMs);
    await line.open(opened).finally(() => clearTimeout(timer));
  }

  const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });

  /** At first by chance, then once a `reconnectMs`: the clients of a server that comes back stay as spread as they were. */
  async function comeBack(): Promise<void> {
    const { signal } = closing;
    const everyMs = Math.min(settings.reconnectMs, waitMs);
    const deadline = performance.now() + waitMs;
    let pauseMs = everyMs * Math.random();
    const attempt = async () => {
      await sleep(Math.min(pauseMs, Math.max(0, deadline - performance.now())), undefined, { signal });
      pauseMs = everyMs;
      await open(signal);
    };
    await retry(attempt, { waitMs, signal, onWaiting }).catch((error) => end(error, error));
  }

  function onEnd(_connection: unknown, ending: Ending): void {
    // Before it was usable: that is a try that failed.
    if (!line.isUp) return;
    onLast();
    if (closing.signal.aborted) return;
    const { isFinal, error } = readEnding(url, ending);
    const { code, reason } = ending;
    tell(onEvent, { type: "disconnected", url, code, reason, error });
    if (code === CLOSE.normal) end(cannotSend(url, "EPIPE", "the server has closed it"));
    else if (isFinal) end(error, error);
    else returning = comeBack();
  }

  function end(why: Error, error?: Error): void {
    givenUp ??= why;
    line.giveUp(why);
    inbox.end(closing.signal.aborted ? undefined : error);
  }

  let closed: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    givenUp ??= cannotSend(url, "EPIPE", "the client is closed");
    await Promise.race([line.finish(), sleep(graceMs, undefined, { ref: false })]);
    closing.abort(givenUp);
    await returning;
    if (connection && line.isUp) {
      const last = new Promise<void>((resolve) => {
        onLast = resolve;
      });
      connection.close(CLOSE.normal);
      await last;
    }
    end(givenUp);
  }
  const close = () => (closed ??= closeAll());

  const signal = options.signal ?? closing.signal;
  await retry(() => open(signal), { waitMs, signal, onWaiting });
  return {
    url,
    protocol,
    send(message) {
      if (givenUp) throw givenUp;
      return line.sendText(formatMessage(message, maxPayload));
    },
    drained: () => line.drained(),
    close,
    [Symbol.asyncIterator]: () => inbox,
    [Symbol.asyncDispose]: close,
  };
}
