import { describeTcpEvent, type TcpServerEvent } from "@ipc/core/tcp-server";
import { printable } from "@ipc/core/terminal";
import type { LinkEvent } from "./link.ts";
import type { Message } from "./protocol.ts";

/**
 * What a peer tells. Events with a `peer` are about a connection to us, those with a `url` about ours to the next peer.
 */
export type PeerEvent =
  | TcpServerEvent
  | LinkEvent
  /** A message goes on to the next peer. */
  | { type: "passed"; message: Message }
  /** A message has ended here. */
  | { type: "delivered"; message: Message }
  /** A message came again, and is neither passed on nor delivered again. */
  | { type: "double"; message: Message }
  /** Whoever sent this message is told that it will not be delivered. */
  | { type: "rejected"; peer: string; reason: string };

/**
 * Makes an `onEvent` that prints a line for each event but connections that come and go while nothing is on its way.
 */
export function createPeerLog(print: (line: string) => void): (event: PeerEvent) => void {
  return (event) => {
    const line = describe(event);
    if (line !== undefined) print(line);
  };
}

function describe(event: PeerEvent): string | undefined {
  switch (event.type) {
    case "sent":
      return `sending   ${show(event.message)}`;
    case "passed":
      return `passed on ${show(event.message)} from ${event.message.origin}`;
    case "delivered":
      return `received  ${show(event.message)} from ${event.message.origin}, ${event.message.hops} hops`;
    case "double":
      return `got again ${show(event.message)} from ${event.message.origin}`;
    case "rejected":
      return `${event.peer} is told: ${event.reason}`;
    case "waiting":
      return describeWaiting(event);
    case "disconnected":
      if (event.unanswered === 0) return undefined;
      return `${event.url} lost, ${event.unanswered} unanswered: ${event.error.message}`;
    case "connected":
      return "url" in event && event.wasWaitedFor ? `${event.url} is there` : undefined;
    case "closed":
      return undefined;
    default:
      return describeTcpEvent(event);
  }
}

function describeWaiting({ url, error }: { url: string; error: Error }): string {
  const why = error.message.replace(`Cannot connect to ${url}: `, "");
  return `waiting for ${url || "the next peer's address"}: ${why}`;
}

function show({ body }: Message): string {
  return printable(new TextEncoder().encode(JSON.stringify(body)));
}
