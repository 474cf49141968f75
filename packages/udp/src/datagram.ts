/**
 * How a datagram looks: 18 bytes in front of the message, big-endian.
 *
 * ```text
 *  0  1  mark, 0xd5: no text in UTF-8 begins with it and goes on with a 1, 2 or 3
 *  1  1  kind: 1 message, 2 ping, 3 pong
 *  2  4  stream: drawn by the sender when it opens (the SSRC of RFC 3550)
 *  6  4  sequence number: 0, 1, 2, … within the stream; pings have their own
 * 10  8  send time: ms since 1970 by the sender's clock, IEEE 754 double
 * 18     the message, which may be empty
 * ```
 *
 * @module
 */

/** What stands in front of a message, in bytes. */
export const HEADER_BYTES = 18;

/** What fits: 65,535 less the headers of IPv4 (20, RFC 791) and UDP (8, RFC 768). IPv6 would take 20 more. */
export const MAX_DATAGRAM_BYTES = 65_507;

/** What every path is expected to carry in one piece; QUIC's number (RFC 9000 section 14). */
export const UNFRAGMENTED_BYTES = 1_200;

/** Only a ping is answered: an echo that answered pongs as well could be made to talk to another one for ever. */
export const KIND = { message: 1, ping: 2, pong: 3 } as const;

/** What stands in front of a message. */
export interface Header {
  /** One of {@link KIND}. */
  kind: number;
  stream: number;
  sequence: number;
  sentAtMs: number;
}

/** Puts a datagram together. */
export function encodeDatagram({ kind, stream, sequence, sentAtMs }: Header, message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + message.length);
  bytes[0] = MARK;
  bytes[1] = kind;
  bytes.writeUInt32BE(stream, 2);
  bytes.writeUInt32BE(sequence, 6);
  bytes.writeDoubleBE(sentAtMs, 10);
  bytes.set(message, HEADER_BYTES);
  return bytes;
}

/** Reads the header of what came; `undefined` when it is none of ours. No error: there may be a million of them. */
export function parseHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== MARK) return undefined;
  const kind = bytes.readUInt8(1);
  const sentAtMs = bytes.readDoubleBE(10);
  // Not a number, or none that a clock shows: it would spoil the jitter for good.
  if (kind < KIND.message || kind > KIND.pong || !(sentAtMs >= 0 && sentAtMs <= LATEST_MS)) return undefined;
  return { kind, stream: bytes.readUInt32BE(2), sequence: bytes.readUInt32BE(6), sentAtMs };
}

/**
 * Refuses what the system would refuse as well, before it is sent: with a `TypeError`, or a `RangeError` `EMSGSIZE`.
 *
 * @returns How long the datagram will be, in bytes.
 */
export function checkMessage(message: Uint8Array, headerBytes: number): number {
  if (!(message instanceof Uint8Array)) {
    throw new TypeError(`Cannot send message: current value is ${typeof message}, it takes a Uint8Array`);
  }
  const datagramBytes = headerBytes + message.length;
  if (datagramBytes <= MAX_DATAGRAM_BYTES) return datagramBytes;
  const text = `Cannot send datagram of ${datagramBytes} bytes: limit is ${MAX_DATAGRAM_BYTES}`;
  const fields = { code: "EMSGSIZE", datagramBytes, maxDatagramBytes: MAX_DATAGRAM_BYTES };
  throw Object.assign(new RangeError(text), fields);
}

/** The time by this process's clock, in ms since 1970, finer than `Date.now()` and never backwards. */
export function clockMs(): number {
  return performance.timeOrigin + performance.now();
}

const MARK = 0xd5;
/** The last moment a `Date` knows. */
const LATEST_MS = 8_640_000_000_000_000;
