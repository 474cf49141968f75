// Counts messages until each writer has sent an empty one, and touches each.
import { parentPort, workerData } from "node:worker_threads";
import { openReader } from "@ipc/shared-memory";
import { wrongResult } from "../../src/bench/variant.ts";

const { memory, writers } = workerData;
// Between two measurements nothing comes, and other variants take their time.
const reader = openReader(memory, { idleTimeoutMs: 0, waitMs: 60_000 });
let count = 0;
let sum = 0;
let ends = 0;
for (const message of reader) {
  if (message.length > 0) {
    count++;
    sum += message[message.length - 1] ?? 0;
  } else if (++ends === writers) {
    if (sum !== count * 0x61) throw wrongResult("messages are spoilt");
    parentPort?.postMessage(count);
    [count, sum, ends] = [0, 0, 0];
  }
}
