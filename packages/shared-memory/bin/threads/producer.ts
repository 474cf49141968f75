import { parentPort, workerData } from "node:worker_threads";
import { openWriter } from "../../src/index.ts";
import { checksum, textOf, totals } from "./traffic.ts";

const { memory, messages, timeoutMs } = workerData;
let isToldFull = false;
const writer = openWriter(memory, {
  timeoutMs,
  onEvent({ type }) {
    if (type === "full" && !isToldFull) parentPort?.postMessage("the ring is full: waits for room");
    isToldFull ||= type === "full";
  },
});
parentPort?.postMessage(`a thread of pid ${process.pid}: writes ${messages.toLocaleString("en")} messages`);
const encoder = new TextEncoder();
let [number, bytes, sum] = [0, 0, 0];
try {
  for (; number < messages; number++) {
    const message = encoder.encode(textOf(number));
    writer.write(message);
    bytes += message.length;
    sum = checksum(sum, message);
  }
} catch (error) {
  // Told to stop: what is written is written.
  if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
}
writer.close();
parentPort?.postMessage(`${totals("wrote", number, bytes, sum)}, waited ${writer.waitedMs.toFixed(0)} ms`);
