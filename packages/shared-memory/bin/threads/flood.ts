import { parentPort, workerData } from "node:worker_threads";
import { openUnboundedWriter, openWriter } from "../../src/index.ts";

/** Messages of 1 KiB, as quick as they can be made, each with the time of its writing. */
const { unbounded, ring, messages = Number.POSITIVE_INFINITY } = workerData;
const from = performance.now();
const say = (text: string) => parentPort?.postMessage(`${text} after ${(performance.now() - from).toFixed(0)} ms`);
const writer = ring
  ? openWriter(ring)
  : openUnboundedWriter(unbounded, { onEvent: ({ heldBytes }) => say(`has grown to ${heldBytes / 2 ** 20} MiB`) });
const message = new DataView(new ArrayBuffer(1_024));
const bytes = new Uint8Array(message.buffer);
try {
  for (let number = 0; number < messages; number++) {
    message.setFloat64(0, performance.timeOrigin + performance.now());
    writer.write(bytes);
  }
  say(`holds 64 KiB, all ${messages.toLocaleString("en")} messages are written`);
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  parentPort?.postMessage(error.message);
}
writer.close();
