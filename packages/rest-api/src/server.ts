import { mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createHttpCloser } from "@ipc/core/http-close";
import { listenError } from "@ipc/core/listen-error";
import { formatAddress } from "@ipc/core/url";
import { addLimits, createApp } from "./app.ts";
import { createChangeFeed } from "./changes.ts";
import { readOptions, type ServerOptions } from "./options.ts";
import { addPages, collectOpenApi } from "./page-routes.ts";
import { addRoutes, refuseOtherMethods } from "./routes.ts";
import { openStore } from "./store.ts";

/** A server that listens. */
export interface Server {
  /** Where it listens: `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Ends the streams of changes, lets requests in flight finish within `graceMs`, cuts off the rest. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Serves a shelf of books: a REST API, its OpenAPI document, a page, and what changes as it changes.
 *
 * @returns The server, listening; `url` tells where.
 * @throws {Error} `EADDRINUSE` and its like, when it cannot listen; `ERR_DATABASE` when it cannot open the database.
 * @throws {Error} `ERR_NO_TOKEN` when it would be open to a network.
 * @throws {RangeError} when a limit or a duration is out of range, or the token is none.
 */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const settings = readOptions(options);
  const { host, port, graceMs } = settings;
  if (options.database === undefined) await mkdir(new URL(".", settings.database), { recursive: true });
  const store = await openStore(settings.database, settings.firstBooks, settings.fsync);
  const feed = createChangeFeed(store, settings);
  const app = createApp(settings);
  const closeServer = createHttpCloser(app.server);
  try {
    await addLimits(app, settings);
    await collectOpenApi(app);
    const refuseOthers = refuseOtherMethods(app);
    addRoutes(app, store, feed);
    await addPages(app);
    refuseOthers();
    await app.listen({ host, port }).catch((cause) => {
      throw listenError(formatAddress("http", { host, port }), cause);
    });
  } catch (error) {
    await app.close();
    store.close();
    throw error;
  }
  const { address, port: bound } = app.server.address() as AddressInfo;
  const url = formatAddress("http", { host: address, port: bound });

  let closing: Promise<void> | undefined;
  async function closeAll() {
    feed.close();
    await closeServer(graceMs);
    await app.close();
    store.close();
  }
  const close = () => (closing ??= closeAll());
  return { url, close, [Symbol.asyncDispose]: close };
}
