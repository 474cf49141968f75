/**
 * How a packet of the reliable layer looks: 24 bytes in front of the message, big-endian.
 *
 * ```text
 *  0  1  mark, 0xd6
 *  1  1  kind: 1 hello, 2 welcome; 3 request, 4 reply, 5 failed; 6 done; 7 unknown
 *  2  6  number: of the request; counted up from that of the hello, which is drawn by chance
 *  8  2  unfinished: how far below it the first request is that the client still waits for
 * 10  4  token, part one: when the server issued it, in ms by a clock of its own
 * 14  6  token, part two: a keyed hash of the client's address, the hello's number and part one
 * 20  4  CRC-32 of all else
 * 24     the message
 * ```
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { MAX_DATAGRAM_BYTES } from "../datagram.ts";

/** What stands in front of a message, in bytes. A packet without a message is never longer than what it answers. */
export const PACKET_HEADER_BYTES = 24;

/** The longest message, in bytes. */
export const MAX_MESSAGE_BYTES = MAX_DATAGRAM_BYTES - PACKET_HEADER_BYTES;

/** How many requests of one client may be between the first unfinished one and the last: what 2 bytes tell. */
export const WINDOW = 65_535;

/** What a packet says. A server takes others than it sends: two servers have nothing to say to each other. */
export const PACKET = {
  /** Client: may I? Proves nothing yet. */
  hello: 1,
  /** Server: here is a token; who shows it gets my packets, so the address is not made up. */
  welcome: 2,
  /** Client: do this once. */
  request: 3,
  /** Server: done, and this came of it. It acknowledges the request. */
  reply: 4,
  /** Server: done, but the handler threw. */
  failed: 5,
  /** Client: I have all replies below this number. */
  done: 6,
  /** Server: I know nothing of this token. I may have been started anew. */
  unknown: 7,
} as const;

/** One of {@link PACKET}. */
export type PacketKind = (typeof PACKET)[keyof typeof PACKET];

/** By what a server knows that it has issued it, and to whom. */
export interface Token {
  issued: number;
  proof: number;
}

/** A packet, taken apart. */
export interface Packet extends Token {
  kind: PacketKind;
  number: number;
  unfinished: number;
  /** A view into what came. */
  message: Uint8Array;
}

/** Puts a packet together, in a buffer of its own. */
export function encodePacket(
  kind: PacketKind,
  number: number,
  unfinished: number,
  token: Token,
  message: Uint8Array = NO_MESSAGE,
): Buffer {
  const bytes = Buffer.allocUnsafe(PACKET_HEADER_BYTES + message.length);
  bytes[0] = MARK;
  bytes[1] = kind;
  bytes.writeUIntBE(number, 2, 6);
  bytes.writeUInt16BE(unfinished, 8);
  bytes.writeUInt32BE(token.issued, 10);
  bytes.writeUIntBE(token.proof, 14, 6);
  bytes.set(message, PACKET_HEADER_BYTES);
  bytes.writeUInt32BE(checksum(bytes), 20);
  return bytes;
}

/** Takes apart what came from anybody; `undefined` when it is no packet, or one that was damaged on the way. */
export function parsePacket(bytes: Buffer): Packet | undefined {
  if (bytes.length < PACKET_HEADER_BYTES || bytes[0] !== MARK) return undefined;
  const kind = bytes[1];
  if (!isPacketKind(kind) || bytes.readUInt32BE(20) !== checksum(bytes)) return undefined;
  return {
    kind,
    number: bytes.readUIntBE(2, 6),
    unfinished: bytes.readUInt16BE(8),
    issued: bytes.readUInt32BE(10),
    proof: bytes.readUIntBE(14, 6),
    message: bytes.subarray(PACKET_HEADER_BYTES),
  };
}

function isPacketKind(kind: number | undefined): kind is PacketKind {
  return kind !== undefined && kind >= PACKET.hello && kind <= PACKET.unknown;
}

/** UDP's checksum has 16 bits, IPv4 may leave it out, and relays make it anew; this one goes end to end. */
function checksum(bytes: Buffer): number {
  const header = crc32(bytes.subarray(0, 20));
  return bytes.length === PACKET_HEADER_BYTES ? header : crc32(bytes.subarray(PACKET_HEADER_BYTES), header);
}

const NO_MESSAGE = new Uint8Array(0);
const MARK = 0xd6;
