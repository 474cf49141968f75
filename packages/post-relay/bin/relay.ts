import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say, warn } from "@ipc/core/terminal";
import { TOKEN_ADVICE as advice } from "@ipc/core/token";
import { describeEvent, RELAY_DEFAULTS, SERVER_FLAGS, startRelay, withLists } from "../src/index.ts";

const defaults = RELAY_DEFAULTS;
const flags = {
  port: { type: "number", default: PORTS["post-relay"], max: 65_535, help: "port to listen on; 0 takes a free one" },
  sinkToken: { type: "text", help: "what the sink wants to be shown" },
  timeoutMs: { type: "number", default: defaults.timeoutMs, min: 1, help: "time for the sink's answer" },
  connections: { type: "number", min: 1, help: "connections to the sink (50; 2 with pipelining)" },
  pipelining: { type: "number", default: defaults.pipelining, min: 1, help: "posts at once on one of them" },
  maxQueued: { type: "number", default: defaults.maxQueued, min: 1, help: "posts that may wait" },
  maxAnswerBytes: { type: "number", default: defaults.maxAnswerBytes, min: 1, help: "longest answer of the sink" },
  ...SERVER_FLAGS,
} as const;
const summary = "Passes posts on to a sink and answers with what the sink did.";

await runProgram({ name: "post-relay", summary, args: ["sink"], flags, advice }, async (values, [sink]) => {
  const relay = await startRelay(sink ?? `http://127.0.0.1:${PORTS["post-relay-sink"]}`, {
    ...withLists(values),
    onEvent: (event) => say(describeEvent(event)),
  });
  closeOnSignal(relay, values.graceMs + 1_500);
  sayReady("post-relay", relay.url);
  if (values.insecure && !values.token) warn("insecure: whoever reaches this machine may post");
});
