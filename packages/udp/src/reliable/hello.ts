import { randomInt } from "node:crypto";
import type { Socket } from "node:dgram";
import { retry, type WaitOptions } from "@ipc/core/retry";
import { sendError } from "../socket.ts";
import { encodePacket, PACKET, parsePacket, type Token } from "./packet.ts";

/** What a server welcomed us with. */
export interface Welcome extends Token {
  /** That of the hello; the requests count on from here. */
  number: number;
  /** How long the answer took, in ms. */
  roundTripMs: number;
}

/**
 * Asks for a token until a server answers. Networks that say nothing of a missing server are the rule: each try waits
 * longer than the one before.
 *
 * @throws {Error} `ETIMEDOUT`, `ECONNREFUSED`, when none does within `waitMs`.
 */
export async function sayHello(url: string, socket: Socket, options: WaitOptions): Promise<Welcome> {
  let limitMs = FIRST_TRY_MS;
  return await retry(() => {
    const hello = sayOnce(url, socket, limitMs);
    limitMs = Math.min(limitMs * 2, LONGEST_TRY_MS);
    return hello;
  }, options);
}

const FIRST_TRY_MS = 250;
const LONGEST_TRY_MS = 2_000;

function sayOnce(url: string, socket: Socket, limitMs: number): Promise<Welcome> {
  return new Promise((resolve, reject) => {
    // By chance: who cannot see our packets cannot welcome us in the server's name.
    const number = randomInt(2 ** 47);
    const sentAt = performance.now();
    const timer = setTimeout(() => fail(sendError(url, "ETIMEDOUT", "no answer came in time")), limitMs);

    function onMessage(bytes: Buffer) {
      const packet = parsePacket(bytes);
      if (packet?.kind !== PACKET.welcome || packet.number !== number) return;
      stop();
      const { issued, proof } = packet;
      resolve({ number, issued, proof, roundTripMs: performance.now() - sentAt });
    }
    function onError(cause: NodeJS.ErrnoException) {
      const why = cause.code === "ECONNREFUSED" ? "nobody listens there" : cause.message;
      fail(sendError(url, cause.code ?? "", why, cause));
    }
    function fail(error: Error) {
      stop();
      reject(error);
    }
    function stop() {
      clearTimeout(timer);
      socket.off("message", onMessage).off("error", onError);
    }
    socket.on("message", onMessage).on("error", onError);
    socket.send(encodePacket(PACKET.hello, number, 0, NO_TOKEN), (error) => error && onError(error));
  });
}

const NO_TOKEN: Token = { issued: 0, proof: 0 };
