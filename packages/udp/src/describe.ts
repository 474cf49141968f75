/**
 * What happens, as lines for a log.
 *
 * @module
 */
import type { Receiver, ReceiverEvent } from "./receiver.ts";
import type { SenderEvent } from "./sender.ts";

/** What a receiver tells. */
export function describeReceiverEvent(event: ReceiverEvent): string {
  switch (event.type) {
    case "malformed":
      return `${event.peer} sent what is no datagram of ours: ${event.count} dropped`;
    case "dropped":
      return `${event.peer} sent more than may wait to be read: ${event.count} dropped`;
    case "failed":
      return `Cannot receive datagram: ${event.error.message}`;
  }
}

/** What a sender tells. */
export function describeSenderEvent(event: SenderEvent): string {
  switch (event.type) {
    case "waiting":
      return `waiting for ${event.url}`;
    case "unreachable":
      return `nobody listens on ${event.url}`;
    case "fragmented": {
      const { datagramBytes, unfragmentedBytes: best } = event;
      return `${datagramBytes} bytes go in fragments, of which none may be lost: best stay within ${best}`;
    }
  }
}

/** Which receive buffer there is, and what would allow more where it is less than was asked for. */
export function describeBuffer({ receiveBufferBytes: bytes }: Receiver, askedBytes: number): string {
  const kib = (count: number) => Math.round(count / 1_024);
  if (bytes >= askedBytes) return `receive buffer: ${kib(bytes)} KiB`;
  const limit = { linux: "net.core.rmem_max", darwin: "kern.ipc.maxsockbuf" }[process.platform as string];
  const advice = limit ? `: sudo sysctl -w ${limit}=${askedBytes} allows more` : "";
  return `receive buffer: ${kib(bytes)} KiB of ${kib(askedBytes)}${advice}`;
}

/** What was sent, and whether anybody answers. */
export function describeSent({ sent, roundTripMs }: { sent: number; roundTripMs: number | undefined }): string {
  if (roundTripMs === undefined) return `sent     ${sent}, nobody was asked`;
  return `sent     ${sent}, ${roundTripMs > 0 ? `round trip ${roundTripMs.toFixed(2)} ms` : "nobody answers any more"}`;
}
