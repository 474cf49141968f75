/**
 * How a packet of the reliable layer looks: 30 bytes in front of the message, big-endian.
 *
 * ```text
 *  0  1  mark, 0xd6
 *  1  1  kind
 *  2  6  number: 1, 2, 3, … of the requests; a hello's is drawn by chance, and its welcome repeats it
 *  8  6  first: the lowest number that the client still waits for
 * 14 12  token
 * 26  4  CRC-32 of all else
 * 30     the message
 * ```
 *
 * @module
 */
import { crc32 } from "node:zlib";

/** What stands in front of a message, in bytes. A packet without a message is never longer than what it answers. */
export const PACKET_HEADER_BYTES = 30;

/** What a packet says. A server takes others than it sends: two servers have nothing to say to each other. */
export const PACKET = {
  /** Client: may I? This is the token that I have, if any. */
  hello: 1,
  /** Server: I know you by this token. When it is the one that you showed, ask; otherwise show it. */
  welcome: 2,
  /** Client: do this once. */
  request: 3,
  /** Server: done, and this came of it. */
  reply: 4,
  /** Server: done, but the handler threw. */
  failed: 5,
  /** Client: I have all replies that I wait for. */
  done: 6,
  /** Server: I know nothing of this token. I may have been started anew. */
  unknown: 7,
} as const;

/** A packet, taken apart. */
export interface Packet {
  /** One of {@link PACKET}, or what nobody knows. */
  kind: number;
  number: number;
  first: number;
  /** 12 characters of one byte each. */
  token: string;
  /** A view into what came. */
  message: Uint8Array;
}

/** The token of who has none yet. */
export const NO_TOKEN = "\0".repeat(12);

/** Puts a packet together, in a buffer of its own. */
export function encodePacket(
  kind: number,
  number: number,
  first: number,
  token: string,
  message: Uint8Array = NO_MESSAGE,
): Buffer {
  const bytes = Buffer.allocUnsafe(PACKET_HEADER_BYTES + message.length);
  bytes[0] = MARK;
  bytes[1] = kind;
  bytes.writeUIntBE(number, 2, 6);
  bytes.writeUIntBE(first, 8, 6);
  bytes.write(token, 14, "latin1");
  bytes.set(message, PACKET_HEADER_BYTES);
  bytes.writeUInt32BE(checksum(bytes), 26);
  return bytes;
}

/** Takes apart what came from anybody; `undefined` when it is no packet, or one that was damaged on the way. */
export function parsePacket(bytes: Buffer): Packet | undefined {
  if (bytes.length < PACKET_HEADER_BYTES || bytes[0] !== MARK) return undefined;
  if (bytes.readUInt32BE(26) !== checksum(bytes)) return undefined;
  return {
    kind: bytes.readUInt8(1),
    number: bytes.readUIntBE(2, 6),
    first: bytes.readUIntBE(8, 6),
    token: bytes.toString("latin1", 14, 26),
    message: bytes.subarray(PACKET_HEADER_BYTES),
  };
}

/** UDP's checksum has 16 bits, IPv4 may leave it out, and relays make it anew; this one goes end to end. */
function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(PACKET_HEADER_BYTES), crc32(bytes.subarray(0, 26)));
}

const NO_MESSAGE = new Uint8Array(0);
const MARK = 0xd6;
