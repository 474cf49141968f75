// Writes for as long as it is told, then an empty message.
import { parentPort, workerData } from "node:worker_threads";
import { openWriter } from "@ipc/shared-memory";

const { memory, messageBytes } = workerData;
const writer = openWriter(memory);
const message = new Uint8Array(messageBytes).fill(0x61);
const nothing = new Uint8Array();

parentPort?.on("message", (forMs: number) => {
  const end = performance.now() + forMs;
  let sent = 0;
  for (; performance.now() < end; sent += 64) for (let i = 0; i < 64; i++) writer.write(message);
  writer.write(nothing);
  parentPort?.postMessage(sent);
});
parentPort?.postMessage("ready");
