import { setMaxListeners } from "node:events";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { CallContext } from "./method.ts";

/** Who calls. Its signal is made when a method asks for it: that costs as much as a call. */
export class Caller implements CallContext {
  readonly #socket: Socket;
  readonly #answer: Socket | ServerResponse;
  #signal: AbortSignal | undefined;

  /** @param answer What the answer goes to; when it closes, there is nobody left to tell. */
  constructor(socket: Socket, answer: Socket | ServerResponse) {
    this.#socket = socket;
    this.#answer = answer;
  }

  get peer() {
    return peerOf(this.#socket);
  }

  get signal() {
    this.#signal ??= abortedOnClose(this.#answer);
    return this.#signal;
  }
}

/** Address and port: `127.0.0.1:54321`. A client that is gone has no address any more. */
export function peerOf({ remoteAddress: host = "unknown", remotePort = 0 }: Socket): string {
  return `${host.includes(":") ? `[${host}]` : host}:${remotePort}`;
}

function abortedOnClose(answer: Socket | ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (answer.destroyed) controller.abort();
  else answer.once("close", () => controller.abort());
  // Every call of a connection may listen: Node would warn of more than ten.
  setMaxListeners(0, controller.signal);
  return controller.signal;
}
