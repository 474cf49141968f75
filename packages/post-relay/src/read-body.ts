import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { refusal } from "./answer.ts";
import { Gathered } from "./gathered.ts";

/** Bounds, in bytes: of one body, and of all that have no answer yet. */
export interface BodyLimits {
  maxBodyBytes: number;
  maxQueuedBytes: number;
}

/** Reads the bodies of one server: UTF-8 and JSON, kept byte for byte as they came. */
export class BodyReader {
  readonly #limits: BodyLimits;
  #heldBytes = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /**
   * Reads one to its end.
   *
   * @returns Nothing when the client went away.
   * @throws {Error} for the client, with a `statusCode`.
   */
  read(request: IncomingMessage): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      const reading: Reading = { gathered: new Gathered(), isOver: false, resolve, reject };
      request.on("data", (chunk: Buffer) => this.#push(reading, chunk));
      request.on("end", () => this.#check(reading));
      request.on("error", () => this.#end(reading));
    });
  }

  /** To be called once a body is done with. */
  release(body: Buffer): void {
    this.#heldBytes -= body.length;
  }

  #push(reading: Reading, chunk: Buffer): void {
    // What is still being sent after a refusal is read and dropped.
    if (reading.isOver) return;
    reading.gathered.push(chunk);
    this.#heldBytes += chunk.length;
    const { maxBodyBytes, maxQueuedBytes } = this.#limits;
    if (reading.gathered.length > maxBodyBytes) this.#end(reading, tooLarge(maxBodyBytes));
    else if (this.#heldBytes > maxQueuedBytes) this.#end(reading, refusal(503, "too much waits: try again later"));
  }

  #check(reading: Reading): void {
    if (reading.isOver) return;
    const { bytes } = reading.gathered;
    if (isUtf8(bytes) && isHarmlessJson(bytes.toString())) {
      reading.isOver = true;
      reading.resolve(bytes);
    } else this.#end(reading, refusal(400, "the body is no JSON in UTF-8, or has __proto__ in it"));
  }

  /** There will be no body: what is there of it is let go. */
  #end(reading: Reading, error?: Error): void {
    if (reading.isOver) return;
    reading.isOver = true;
    this.#heldBytes -= reading.gathered.length;
    reading.gathered = new Gathered();
    if (error) reading.reject(error);
    else reading.resolve(undefined);
  }
}

/** A body on its way. */
interface Reading {
  gathered: Gathered;
  isOver: boolean;
  resolve: (body: Buffer | undefined) => void;
  reject: (error: Error) => void;
}

/** What is thrown for a body above a limit. */
export function tooLarge(maxBodyBytes: number): Error {
  return refusal(413, `the body is above ${maxBodyBytes} bytes`);
}

/** JSON without the key `__proto__`, which makes another object of what a careless reader copies it into. */
function isHarmlessJson(text: string): boolean {
  try {
    JSON.parse(text, PROTO.test(text) ? refuseProto : undefined);
    return true;
  } catch {
    return false;
  }
}

/** The key, or escapes that it may be written in. */
const PROTO = /__proto__|\\u00/;

function refuseProto(key: string, value: unknown): unknown {
  if (key === "__proto__") throw new SyntaxError(key);
  return value;
}
