// The example's relay, without printing a line a post.
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { startRelay } from "@ipc/post-relay";

await runProgram(
  { name: "post-relay", summary: "What the benchmark measures.", args: ["sink", "pipelining"], flags: {} },
  async (_values, [sink = "", pipelining = "1"]) => {
    const relay = await startRelay(sink, { pipelining: Number(pipelining) });
    closeOnSignal(relay);
    sayReady("post-relay", relay.url);
  },
);
