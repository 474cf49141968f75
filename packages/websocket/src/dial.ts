import { whenAborted } from "@ipc/core/when-aborted";
import { connectError, refusedError } from "./client-errors.ts";
import type { ClientSettings } from "./client-options.ts";
import { limitsOf, TurnSocket } from "./turn-socket.ts";

/**
 * Opens a connection, once.
 *
 * @returns It, paused: `resume()` it once somebody listens.
 * @throws {Error} `ECONNREFUSED`, `ETIMEDOUT` and their like; `EBUSY` when the server has no room; `ERR_REFUSED` when it
 *   does not want this client.
 */
export function dial(url: string, settings: ClientSettings, signal: AbortSignal): Promise<TurnSocket> {
  const { protocol, connectTimeoutMs } = settings;
  return new Promise((resolve, reject) => {
    const ws = new TurnSocket(url, protocol, { ...limitsOf(settings, protocol), handshakeTimeout: connectTimeoutMs });
    const forget = whenAborted(signal, () => fail(signal.reason));
    function fail(error: Error) {
      forget();
      reject(error);
      ws.terminate();
    }
    const onError = (cause: Error) => fail(connectError(url, cause));
    ws.on("error", onError);
    ws.on("unexpected-response", (_request, { statusCode, statusMessage }) =>
      fail(refusedError(url, statusCode, statusMessage)),
    );
    ws.on("upgrade", ({ socket }) => ws.attach(socket, true));
    ws.on("open", () => {
      forget();
      ws.off("error", onError);
      // What comes at once is kept until somebody listens.
      ws.pause();
      resolve(ws);
    });
  });
}
