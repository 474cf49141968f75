import { tell } from "@ipc/core/tell";
import { readEnding, tooMuch } from "./client-errors.ts";
import type { ClientSettings } from "./client-options.ts";
import type { Connection } from "./connection.ts";
import { EchoLine } from "./echo-line.ts";
import type { Inbox } from "./inbox.ts";
import type { Ending } from "./protocol.ts";
import { notAFrame, parseFrame, SessionBooks, type SessionFrame } from "./session.ts";

/** The client's end of `ipc.session.v1`: after a cut it goes on where it was. */
export class SessionLine extends EchoLine {
  /** `null` until the first welcome; another one where the server does not know the old one any more. */
  #id: string | null = null;
  #books: SessionBooks;
  /** The last that was given to a connection. */
  #sent = 0;
  #onOpened: ((ending?: Ending) => void) | undefined;
  #onChange: (() => void)[] = [];
  #givenUp: Error | undefined;

  constructor(url: string, settings: ClientSettings, inbox: Inbox) {
    super(url, settings, inbox);
    this.#books = new SessionBooks(settings);
  }

  override get isUp(): boolean {
    return this.connection !== undefined && this.#onOpened === undefined;
  }

  override async open(connection: Connection): Promise<void> {
    this.connection = connection;
    connection.send(JSON.stringify({ hello: { session: this.#id, last: this.#books.received } }));
    const ending = await new Promise<Ending | undefined>((resolve) => {
      this.#onOpened = resolve;
    });
    if (ending) throw readEnding(this.url, ending).error;
  }

  #opened(ending?: Ending) {
    const resolve = this.#onOpened;
    this.#onOpened = undefined;
    resolve?.(ending);
  }

  override onEnd(ending: Ending): void {
    this.connection = undefined;
    this.#opened(ending);
  }

  override onMessage(message: unknown, data: Buffer): void {
    const frame = parseFrame(message);
    if (this.#onOpened) this.#begin(frame);
    else if (this.#books.accept(frame, this.#sendFrame)) this.inbox.push(frame.data, data.length);
    else this.#changed();
  }

  readonly #sendFrame = (text: string) => this.connection?.send(text);

  #begin(frame: SessionFrame) {
    if (frame.type !== "welcome") throw notAFrame("it comes before welcome");
    const { url } = this;
    const { onEvent } = this.settings;
    const { session, last, gone } = frame;
    if (session === this.#id) {
      this.#books.confirm(last);
      this.#books.received += gone;
      tell(onEvent, { type: "resumed", url, repeated: this.#books.length });
      if (gone > 0) tell(onEvent, { type: "lost", url, received: gone, sent: [] });
    } else {
      const isFirst = this.#id === null;
      const sent = this.#startAnew(session);
      this.tellConnected();
      if (!isFirst) tell(onEvent, { type: "lost", url, received: undefined, sent });
    }
    for (const kept of this.#books.after(0)) this.connection?.send(kept);
    this.#sent = this.#books.last;
    this.#opened();
    this.#changed();
    if (this.#onChange.length > 0) this.ping();
  }

  /** What never went out goes to the new session. @returns what went out, and nobody knows whether it arrived. */
  #startAnew(session: string): unknown[] {
    const messages = this.#books.after(0).map((frame): unknown => JSON.parse(frame).data);
    const neverSent = this.#books.last - this.#sent;
    const sent = messages.splice(0, messages.length - neverSent);
    this.#id = session;
    this.#books = new SessionBooks(this.settings);
    for (const message of messages) this.#books.add(JSON.stringify(message));
    return sent;
  }

  override sendText(text: string): boolean {
    const books = this.#books;
    if (books.isFull(text.length)) throw tooMuch(this.url, books.bytes, this.settings.keepBytes);
    const frame = books.add(text);
    if (!this.isUp) return this.#hasRoom;
    this.#sent = books.last;
    return this.connection?.send(frame) === true && this.#hasRoom;
  }

  /** So that what the server has is known before all room is used. */
  get #hasRoom(): boolean {
    const { keepMessages, keepBytes } = this.settings;
    return this.#books.length <= keepMessages / 2 && this.#books.bytes <= keepBytes / 2;
  }

  override async drained(): Promise<void> {
    await super.drained();
    await this.#until(() => this.#hasRoom);
  }

  override async finish(): Promise<void> {
    await this.#until(() => this.#books.length === 0).catch(() => {});
  }

  async #until(isMet: () => boolean): Promise<void> {
    if (!isMet()) this.ping();
    for (;;) {
      if (this.#givenUp) throw this.#givenUp;
      if (isMet()) return;
      await new Promise<void>((resolve) => {
        this.#onChange.push(resolve);
      });
    }
  }

  #changed() {
    for (const resolve of this.#onChange.splice(0)) resolve();
  }

  /** Says what has come, and asks the same of the server: also in place of a ping frame. */
  ping(): void {
    if (this.isUp) this.connection?.send(`{"ping":${this.#books.received}}`);
  }

  override giveUp(error: Error): void {
    this.#givenUp = error;
    this.#changed();
  }
}
