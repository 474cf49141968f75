import { STATUS_CODES } from "node:http";
import { connectTcp } from "@ipc/core/sockets";
import { tell } from "@ipc/core/tell";
import { formatAddress, parseAddress } from "@ipc/core/url";
import { Client, type Dispatcher } from "undici";
import type { Exchange } from "./exchange.ts";
import { type Link, type LinkOptions, resetError, unexpected } from "./link.ts";
import { idOf, invalidResponse, isObject, outcomeOf, RpcError, textOf, tooLarge } from "./protocol.ts";

/**
 * A POST a message, over connections that stay open between them.
 *
 * @throws {TypeError} `ERR_INVALID_URL`.
 * @throws {Error} `ECONNREFUSED` and its like, when nobody is there within `waitMs`.
 */
export async function openHttpLink(url: string, options: LinkOptions): Promise<Link> {
  const { waitMs, signal, onEvent } = options;
  // Somebody listens: all that can be known without a call.
  const tcpUrl = formatAddress("tcp", parseAddress(url, "http"));
  const onWaiting = (error: Error) => tell(onEvent, { type: "waiting", url, error });
  const socket = await connectTcp(tcpUrl, { waitMs, signal, onWaiting });
  socket.destroy();
  return new HttpLink(url, options);
}

/**
 * Not undici's `Pool`: that has a call wait, or take a connection that rests, where here it takes the one that has just
 * become free, which costs both sides a tenth less.
 */
class HttpLink implements Link {
  readonly url: string;
  readonly options: LinkOptions;
  readonly bufferedBytes = 0;
  lastFailure: Error | undefined;
  readonly #connections: Client[] = [];
  readonly #free: Client[] = [];
  /** What waits for a connection to become free. */
  readonly #queue = new Set<Post>();

  constructor(url: string, options: LinkOptions) {
    this.url = url;
    this.options = options;
  }

  send(exchange: Exchange): void {
    const post = new Post(this, exchange);
    exchange.onForgotten = () => post.cancel();
    this.carry(post);
  }

  carry(post: Post): void {
    const connection = this.#free.pop() ?? this.#addConnection();
    if (connection) post.send(connection);
    else this.#queue.add(post);
  }

  #addConnection(): Client | undefined {
    if (this.#connections.length === this.options.maxConnections) return undefined;
    // Time limits are the client's: one timer for all calls.
    const connection = new Client(this.url, { headersTimeout: 0, bodyTimeout: 0 });
    this.#connections.push(connection);
    return connection;
  }

  /** It has carried what it was given. */
  release(connection: Client): void {
    this.#free.push(connection);
    const [next] = this.#queue;
    if (!next) return;
    this.#queue.delete(next);
    this.carry(next);
  }

  unqueue(post: Post): void {
    this.#queue.delete(post);
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.destroy()));
  }
}

const HEADERS = { "content-type": "application/json", accept: "application/json" };

/** One message as a POST. Not `client.request()`: a stream, a promise and a signal each cost more than a call. */
class Post implements Dispatcher.DispatchHandler {
  readonly #link: HttpLink;
  readonly #exchange: Exchange;
  #connection: Client | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #complaint: Error | undefined;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #pause: NodeJS.Timeout | undefined;

  constructor(link: HttpLink, exchange: Exchange) {
    this.#link = link;
    this.#exchange = exchange;
  }

  send(connection: Client): void {
    this.#connection = connection;
    connection.dispatch({ method: "POST", path: "/", headers: HEADERS, body: this.#exchange.bytes }, this);
  }

  /** Nobody waits for it any more: its connection is closed, since the reply can no longer be stopped. */
  cancel(): void {
    clearTimeout(this.#pause);
    this.#link.unqueue(this);
    this.#controller?.abort(new Error("nobody waits for the reply any more"));
  }

  #release() {
    // Nothing is left to be aborted.
    this.#controller = undefined;
    if (this.#connection) this.#link.release(this.#connection);
    this.#connection = undefined;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#exchange.isDone) this.cancel();
    else this.#exchange.isSent = true;
    this.#exchange.isWaiting = false;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { maxFrameBytes } = this.#link.options;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > maxFrameBytes) this.#exchange.fail(tooLarge("read", this.#bytes, maxFrameBytes));
  }

  onResponseEnd(): void {
    const exchange = this.#exchange;
    const isOk = this.#status >= 200 && this.#status <= 299;
    this.#release();
    const body = this.#bytes === 0 ? [] : readJson(this.#chunks);
    if (body instanceof Error && isOk) exchange.fail(body);
    if (!(body instanceof Error)) for (const reply of Array.isArray(body) ? body : [body]) this.#settle(reply, isOk);
    // What has an outcome by now keeps it.
    if (this.#complaint) exchange.fail(this.#complaint);
    if (isOk) exchange.finish();
    else exchange.fail(statusError(this.#link.url, this.#status, body));
  }

  #settle(reply: unknown, isOk: boolean) {
    const id = idOf(reply);
    if (this.#exchange.settle(id, reply)) return;
    const outcome = outcomeOf(reply);
    const error = id === null && outcome.status === "rejected" ? outcome.reason : undefined;
    // Without an id it is about what has no reply of its own. What is no JSON-RPC is told by its status.
    if (error && (isOk || error instanceof RpcError)) this.#complaint = error;
    else if (isOk) {
      const { url, options } = this.#link;
      tell(options.onEvent, { type: "dropped", url, error: unexpected(reply) });
    }
  }

  /** While nobody is there nothing was sent: that is tried again as long as the call may take. */
  onResponseError(_controller: Dispatcher.DispatchController, cause: Error): void {
    const exchange = this.#exchange;
    this.#release();
    if (exchange.isSent) exchange.fail(resetError(this.#link.url, cause));
    if (exchange.isDone) return;
    exchange.isWaiting = true;
    this.#link.lastFailure = cause;
    this.#pause = setTimeout(() => this.#link.carry(this), Math.random() * this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** The first pause before trying again is up to 50 ms, then up to twice as long each time, up to 1 s. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** Of a body that is no JSON, an error. */
function readJson(chunks: readonly Buffer[]): unknown {
  try {
    return JSON.parse(textOf(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
  } catch (cause) {
    return invalidResponse("it is no JSON", cause);
  }
}

function statusError(url: string, status: number, body: unknown): Error {
  const detail = isObject(body) && typeof body["detail"] === "string" ? `: ${body["detail"]}` : "";
  const text = `Cannot get reply from ${url}: HTTP status ${status} ${STATUS_CODES[status] ?? ""}${detail}`;
  return Object.assign(new Error(text), { code: "ERR_HTTP_STATUS", status });
}
