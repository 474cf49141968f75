import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { encodeFrame, lengthFraming } from "@ipc/core/framing";
import { isToken, readFirstFrame } from "@ipc/core/token";

/** What a caller with a token says first of all. */
export function encodeHello(token: string): Uint8Array {
  return Buffer.from(JSON.stringify({ token }));
}

/** Whether a frame is a hello: nothing else has a token alone. A peer that wants none ignores it. */
export function isHello(frame: Uint8Array): boolean {
  // In front of the reading: the third byte of a message is the "h" of hops.
  return frame[2] === 0x74 && Object.keys(readObject(frame)).join() === "token";
}

/** @throws {Error} `ERR_WRONG_TOKEN` when this is all that the peer at `url` has to say. */
export function checkDenial(frame: Uint8Array | undefined, url: string): void {
  if (!frame || frame.length === 0 || readObject(frame)["denied"] === undefined) return;
  throw Object.assign(new Error(`Cannot connect to ${url}: it wants a token`), { code: "ERR_WRONG_TOKEN" });
}

/** Whether it is what {@link checkDenial} throws. */
export function isDenial(error: Error | undefined): boolean {
  return error !== undefined && "code" in error && error.code === "ERR_WRONG_TOKEN";
}

type Serve = (socket: Socket, signal: AbortSignal) => Promise<void>;

/** Has `serve` talk with those who show the token, where there is one; tells the others that they are denied. */
export function admitting(token: string | undefined, serve: Serve): Serve {
  if (token === undefined) return serve;
  return async (socket, signal) => {
    try {
      const hello = readObject(await readFirstFrame(socket, { framing: lengthFraming, signal }));
      if (!isToken(String(hello["token"]), token)) throw wrongToken();
    } catch (error) {
      if (socket.writable) socket.write(encodeFrame(lengthFraming, DENIAL));
      throw error;
    }
    await serve(socket, signal);
  };
}

const DENIAL = Buffer.from('{"denied":"wrong token"}');

function wrongToken(): Error {
  return Object.assign(new Error("Cannot let caller in: wrong token"), { code: "ERR_WRONG_TOKEN" });
}

/** What is no object has nothing in it. */
function readObject(frame: Uint8Array): Record<string, unknown> {
  try {
    return Object(JSON.parse(Buffer.from(frame).toString()));
  } catch {
    return {};
  }
}
