// Sends back what comes; or asks, one by one, for as long as it is told.
import { parentPort, workerData } from "node:worker_threads";
import { openReader, openWriter } from "@ipc/shared-memory";
import { medianUs } from "../tcp-echo/load.ts";

const { there, back, isEcho } = workerData;
const limits = { idleTimeoutMs: 0, waitMs: 60_000 };
const reader = openReader(isEcho ? there : back, limits);
const writer = openWriter(isEcho ? back : there);

if (isEcho) {
  for (const message of reader) writer.write(message);
} else {
  parentPort?.on("message", (forMs: number) => {
    const message = new Uint8Array(64).fill(0x61);
    const times: number[] = [];
    const end = performance.now() + forMs;
    for (let from = performance.now(); from < end; ) {
      writer.write(message);
      reader.read();
      const now = performance.now();
      times.push(now - from);
      from = now;
    }
    parentPort?.postMessage(medianUs(times));
  });
  parentPort?.postMessage("ready");
}
