import type { Socket } from "node:dgram";
import { clockMs, encodeDatagram, KIND, parseHeader } from "./datagram.ts";
import { sendError } from "./socket.ts";

/** Questions on their way. */
export interface Pings {
  /** Asks once; resolves with how long the answer took, in ms. Rejects with `ETIMEDOUT`, or as the system says. */
  send(message: Uint8Array, timeoutMs: number): Promise<number>;
  /** An error of the socket: rejects all that wait. @returns Whether any did. */
  fail(error: NodeJS.ErrnoException): boolean;
  /** There will be no more. */
  end(error: Error): void;
}

interface Ping {
  sentAt: number;
  timer: NodeJS.Timeout;
  resolve(roundTripMs: number): void;
  reject(error: Error): void;
}

/** Asks over a connected socket; only what comes from the other end of it gets here. */
export function createPings(url: string, socket: Socket, stream: number): Pings {
  const waiting = new Map<number, Ping>();
  let sequence = 0;

  socket.on("message", (bytes) => {
    const header = parseHeader(bytes);
    if (header?.kind !== KIND.pong || header.stream !== stream) return;
    const ping = take(header.sequence);
    ping?.resolve(performance.now() - ping.sentAt);
  });

  function take(number: number): Ping | undefined {
    const ping = waiting.get(number);
    waiting.delete(number);
    clearTimeout(ping?.timer);
    return ping;
  }

  function expire(number: number) {
    take(number)?.reject(sendError(url, "ETIMEDOUT", "no answer came in time"));
  }

  function failAll(error: Error): boolean {
    const numbers = [...waiting.keys()];
    for (const number of numbers) take(number)?.reject(error);
    return numbers.length > 0;
  }

  function fail(cause: NodeJS.ErrnoException) {
    const why = cause.code === "ECONNREFUSED" ? "nobody listens there" : cause.message;
    return failAll(sendError(url, cause.code ?? "", why, cause));
  }

  function onSent(error: Error | null) {
    if (error) fail(error);
  }

  return {
    send(message, timeoutMs) {
      const number = sequence;
      sequence = (sequence + 1) >>> 0;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(expire, timeoutMs, number);
        waiting.set(number, { sentAt: performance.now(), timer, resolve, reject });
        socket.send(
          encodeDatagram({ kind: KIND.ping, stream, sequence: number, sentAtMs: clockMs() }, message),
          onSent,
        );
      });
    },
    fail,
    end: failAll,
  };
}
