import { parentPort, workerData } from "node:worker_threads";
import { openReader, openUnboundedReader } from "../../src/index.ts";

/** Takes 64 messages, rests for a millisecond, and so on. */
const { unbounded, ring } = workerData;
const reader = ring ? openReader(ring) : openUnboundedReader(unbounded);
const nobody = new Int32Array(new SharedArrayBuffer(4));
let number = 0;
let waitedMs = 0;
for (let message = reader.read(); message; message = reader.read()) {
  const { buffer, byteOffset } = message;
  waitedMs = performance.timeOrigin + performance.now() - new DataView(buffer, byteOffset).getFloat64(0);
  if (++number % 64 === 0) Atomics.wait(nobody, 0, 0, 1);
}
parentPort?.postMessage(
  `${number.toLocaleString("en")} messages are read; the last had waited ${waitedMs.toFixed(0)} ms`,
);
