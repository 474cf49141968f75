import { runProgram } from "@ipc/core/process";
import { answerFork, answerParent } from "../src/index.ts";

const summary = "Sends back what its parent writes. Not to be started by hand.";
const advice = { ERR_FRAME_TOO_LARGE: "Put a message's length in front of it: 4 bytes, big-endian" };

await runProgram({ name: "pipes child", summary, flags: {}, advice }, async () => {
  const stop = new AbortController();
  // Ctrl-C on a terminal reaches both: the parent lets this one finish and ends its input.
  process.on("SIGINT", () => {}).on("SIGTERM", () => stop.abort());
  if (process.send) return answerFork((message) => message);
  await answerParent((message) => message, { signal: stop.signal });
});
