import type { Framing } from "@ipc/core/framing";

/**
 * No framing: bytes are handed on as the network cut them, which is what most echo servers do. A "message" is whatever one read
 * brought, half a message or three of them: fine for an echo, wrong for everything else.
 */
export const rawFraming: Framing = {
  name: "raw",
  headerBytes: 0,
  trailerBytes: 0,
  writeHeader: (_target, offset) => offset,
  writeTrailer: (_target, offset) => offset,
  check: () => {},
  createDecoder: () => ({
    decode: (chunk) => [chunk],
    end: () => {},
    isInsideFrame: false,
    error: undefined,
  }),
};
