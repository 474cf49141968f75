import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { FastifyBodyParser, FastifyRequest } from "fastify";
import { refusal, tooLarge } from "./answer.ts";
import { Gathered } from "./gathered.ts";

/** Bounds, in bytes: of one body, and of all that have no answer yet. */
export interface BodyLimits {
  maxBodyBytes: number;
  maxQueuedBytes: number;
}

type Done = (error: Error | null, body?: Buffer) => void;

/** Reads the bodies of one server: UTF-8 and JSON, kept byte for byte as they came. A class: there is one closure less a post. */
export class BodyReader {
  readonly #limits: BodyLimits;
  readonly #parseJson: FastifyBodyParser<string>;
  #heldBytes = 0;

  /** @param parseJson Asked only whether it is JSON, and harmless. */
  constructor(limits: BodyLimits, parseJson: FastifyBodyParser<string>) {
    this.#limits = limits;
    this.#parseJson = parseJson;
  }

  /** Reads one to its end; `done` gets it, or an error for the client. */
  read(request: FastifyRequest, payload: IncomingMessage, done: Done): void {
    const reading: Reading = { request, gathered: new Gathered(), done };
    payload.on("data", (chunk: Buffer) => this.#push(reading, chunk));
    payload.on("end", () => reading.done && this.#check(reading));
    payload.on("error", (error) => this.#refuse(reading, error));
  }

  /** To be called once a body is done with. */
  release(body: Buffer): void {
    this.#heldBytes -= body.length;
  }

  #push(reading: Reading, chunk: Buffer): void {
    // What is still being sent after a refusal is read and dropped.
    if (!reading.done) return;
    reading.gathered.push(chunk);
    this.#heldBytes += chunk.length;
    const { maxBodyBytes, maxQueuedBytes } = this.#limits;
    if (reading.gathered.length > maxBodyBytes) this.#refuse(reading, tooLarge(maxBodyBytes));
    else if (this.#heldBytes > maxQueuedBytes) this.#refuse(reading, refusal(503, "too much waits: try again later"));
  }

  #check(reading: Reading): void {
    const body = reading.gathered.bytes;
    const text = isUtf8(body) ? body.toString() : NO_JSON;
    void this.#parseJson(reading.request, text, (error) => {
      const { done } = reading;
      if (error) this.#refuse(reading, refusal(400, "the body is no JSON in UTF-8, or has __proto__ in it"));
      else {
        reading.done = undefined;
        done?.(null, body);
      }
    });
  }

  #refuse(reading: Reading, error: Error): void {
    const { gathered, done } = reading;
    if (!done) return;
    this.#heldBytes -= gathered.length;
    reading.gathered = new Gathered();
    reading.done = undefined;
    done(error);
  }
}

const NO_JSON = "\u0000";

/** A body on its way; without `done` it is over. */
interface Reading {
  request: FastifyRequest;
  gathered: Gathered;
  done: Done | undefined;
}
