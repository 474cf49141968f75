import { randomFillSync } from "node:crypto";
import { endianness } from "node:os";

/**
 * Texts as frames (RFC 6455 section 5.2), all in one piece. `ws` hands each frame to the socket in two pieces and masks
 * byte by byte: with 1 KiB a message that is half of what a client does.
 *
 * @param texts Strings, or their UTF-8.
 * @param isMasked A client's frames have to be.
 * @param memory Gives so many bytes, which the frames then are.
 */
export function writeFrames(
  texts: readonly (string | Buffer)[],
  isMasked: boolean,
  memory: (bytes: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  const maskBytes = isMasked ? 4 : 0;
  const lengths: number[] = [];
  let bytes = 0;
  for (const text of texts) {
    const length = typeof text === "string" ? Buffer.byteLength(text) : text.length;
    lengths.push(length);
    bytes += headerBytes(length) + maskBytes + length;
  }
  const frames = memory(bytes);
  const words = isMasked ? wordsOf(frames) : undefined;
  let offset = 0;
  for (let index = 0; index < texts.length; index++) {
    const length = lengths[index] ?? 0;
    const text = texts[index] ?? "";
    const start = offset + headerBytes(length) + maskBytes;
    writeHeader(frames, offset, length);
    if (typeof text === "string") frames.write(text, start);
    else frames.set(text, start);
    if (words) {
      const mask = nextMask();
      frames.writeInt32LE(mask, start - 4);
      // The bit that says so.
      frames[offset + 1] = (frames[offset + 1] ?? 0) | 0x80;
      applyMask(frames, words, start, start + length, mask);
    }
    offset = start + length;
  }
  return frames;
}

/** The part of it that whole words make up. */
function wordsOf({ buffer, byteOffset, length }: Buffer): Int32Array {
  return new Int32Array(buffer, byteOffset & ~3, (length + (byteOffset & 3)) >> 2);
}

/** One byte for what it is, the rest for the length. */
function headerBytes(length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10;
}

function writeHeader(frames: Buffer, offset: number, length: number): void {
  // FIN and the opcode of text.
  frames[offset] = 0x81;
  if (length < 126) frames[offset + 1] = length;
  else if (length < 65_536) {
    frames[offset + 1] = 126;
    frames.writeUInt16BE(length, offset + 2);
  } else {
    frames[offset + 1] = 127;
    frames.writeUIntBE(0, offset + 2, 2);
    frames.writeUIntBE(length, offset + 4, 6);
  }
}

/** Four bytes at a time where they are a word of memory; the mask turns with the bytes before. */
function applyMask(frames: Buffer, words: Int32Array, start: number, end: number, mask: number): void {
  const shift = frames.byteOffset & 3;
  let turned = mask;
  let index = start;
  for (; index < end && ((index + shift) & 3) !== 0; index++) turned = maskByte(frames, index, turned);
  const lastWord = IS_LITTLE ? (end + shift) >> 2 : 0;
  for (let word = (index + shift) >> 2; word < lastWord; word++) words[word] = (words[word] ?? 0) ^ turned;
  index = Math.max(index, lastWord * 4 - shift);
  for (; index < end; index++) turned = maskByte(frames, index, turned);
}

const IS_LITTLE = endianness() === "LE";

/** @returns the mask for the byte after it. */
function maskByte(frames: Buffer, index: number, mask: number): number {
  frames[index] = (frames[index] ?? 0) ^ (mask & 0xff);
  return (mask >>> 8) | (mask << 24);
}

const masks = new Int32Array(2_048);
let masksUsed = masks.length;

/** Nobody may foresee it (RFC 6455 section 5.3): random bytes for many frames at once. */
function nextMask(): number {
  if (masksUsed === masks.length) {
    randomFillSync(masks);
    masksUsed = 0;
  }
  return masks[masksUsed++] ?? 0;
}
