import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { openReader } from "../../src/index.ts";
import { checksum, totals } from "./traffic.ts";

const { memory, restMs } = workerData;
const reader = openReader(memory);
let [number, bytes, sum] = [0, 0, 0];
for (const message of reader) {
  bytes += message.length;
  sum = checksum(sum, message);
  if (number++ > 0) continue;
  parentPort?.postMessage(
    `a thread of pid ${process.pid}: got "${new TextDecoder().decode(message)}", rests for ${restMs} ms`,
  );
  await sleep(restMs);
}
reader.close();
parentPort?.postMessage(totals("read ", number, bytes, sum));
