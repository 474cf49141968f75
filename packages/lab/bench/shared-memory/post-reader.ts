// Counts messages until "end", and touches each.
import { parentPort, workerData } from "node:worker_threads";
import { wrongResult } from "../../src/bench/variant.ts";

const { messageBytes, packed } = workerData;
let count = 0;
let sum = 0;

parentPort?.on("message", (message: Uint8Array | "end") => {
  if (message === "end") {
    if (sum !== count * 0x61) throw wrongResult("messages are spoilt");
    parentPort?.postMessage(count);
    count = 0;
    sum = 0;
  } else if (packed === 0) {
    take(message);
  } else {
    for (let at = 0; at < message.length; at += messageBytes) take(message.subarray(at, at + messageBytes));
  }
});

function take(message: Uint8Array) {
  count++;
  sum += message[message.length - 1] ?? 0;
}
