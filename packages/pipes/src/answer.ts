import type { Duplex } from "node:stream";
import { lengthFraming } from "@ipc/core/framing";
import { type ReadOptions, readFrames } from "@ipc/core/read-frames";
import { createFrameWriter } from "@ipc/core/write-frames";

/**
 * What answers a message. The next message of the same connection waits for its reply. If it throws, the connection is
 * dropped with all that waits on it.
 *
 * @param message A view into what came from the other side: `slice()` what you keep.
 */
export type Handler = (message: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/**
 * Answers every message that comes in with a reply that goes out, in order, until the input ends or `signal` aborts:
 * the same over a socket and over a child's standard streams.
 *
 * @throws {FrameError} what the other side did wrong; what came before that is answered.
 * @throws {Error} what the streams failed with, or the handler.
 */
export async function answer(
  streams: { input: Duplex; output: Duplex },
  handler: Handler,
  { maxFrameBytes, ...options }: ReadOptions & { maxFrameBytes: number },
): Promise<void> {
  const writer = createFrameWriter(streams.output, lengthFraming, { maxFrameBytes });
  for await (const messages of readFrames(streams.input, lengthFraming.createDecoder({ maxFrameBytes }), options)) {
    for (const message of messages) {
      const reply = handler(message);
      const mayGoOn = writer.write(reply instanceof Uint8Array ? reply : await reply, messages.length === 1);
      // Who does not read replies is not read from either: memory stays bounded.
      if (!mayGoOn) await writer.drained();
    }
  }
}
