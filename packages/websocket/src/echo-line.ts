import { tell } from "@ipc/core/tell";
import { cannotSend, tooMuch } from "./client-errors.ts";
import type { ClientSettings } from "./client-options.ts";
import type { Connection, Speaker } from "./connection.ts";
import type { Inbox } from "./inbox.ts";
import type { Ending } from "./protocol.ts";

/** What carries a client's messages, over one connection after another: `ipc.echo.v1`, where a cut loses what is on its way. */
export class EchoLine implements Speaker {
  protected readonly url: string;
  protected readonly settings: ClientSettings;
  protected readonly inbox: Inbox;
  protected connection: Connection | undefined;

  constructor(url: string, settings: ClientSettings, inbox: Inbox) {
    this.url = url;
    this.settings = settings;
    this.inbox = inbox;
  }

  /** Whether messages can go out now. */
  get isUp(): boolean {
    return this.connection !== undefined;
  }

  /** Begins on a new connection. Resolves when it is usable, rejects when it ends before that. */
  open(connection: Connection): Promise<void> {
    this.connection = connection;
    this.tellConnected();
    return Promise.resolve();
  }

  protected tellConnected() {
    const { onEvent, protocol } = this.settings;
    tell(onEvent, { type: "connected", url: this.url, protocol });
  }

  onMessage(message: unknown, data: Buffer): void {
    this.inbox.push(message, data.length);
  }

  onEnd(_ending: Ending): void {
    this.connection = undefined;
  }

  /** @returns Whether more may follow at once. */
  sendText(text: string): boolean {
    if (!this.connection?.isOpen) throw cannotSend(this.url, "ENOTCONN", "there is no connection");
    const { maxBufferedBytes } = this.settings;
    const waiting = this.connection.waitingBytes;
    if (waiting > 0 && waiting + text.length > maxBufferedBytes) throw tooMuch(this.url, waiting, maxBufferedBytes);
    return this.connection.send(text);
  }

  async drained(): Promise<void> {
    await this.connection?.drained();
  }

  /** Resolves when the server has what was sent, or nobody will tell. */
  async finish(): Promise<void> {
    await this.drained();
  }

  /** There will be no further connection. */
  giveUp(_error: Error): void {}
}
