import { tmpdir } from "node:os";
import { join } from "node:path";
import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say, warn } from "@ipc/core/terminal";
import { TOKEN_ADVICE } from "@ipc/core/token";
import { describeEvent, SERVER_FLAGS, SINK_DEFAULTS, startSink, withLists } from "../src/index.ts";

const OTHER = "Choose another file with --record";
const defaults = SINK_DEFAULTS;
const flags = {
  port: { type: "number", default: PORTS["post-relay-sink"], max: 65_535, help: "port; 0 takes a free one" },
  record: { type: "text", help: "file of what has come (posts-PORT.log in this package)" },
  fsync: { type: "switch", help: "waits for the disk: survives a power cut" },
  keepMs: { type: "number", default: defaults.keepMs, help: "time until a key is forgotten" },
  maxKeys: { type: "number", default: defaults.maxKeys, min: 1, help: "keys remembered at once" },
  ...SERVER_FLAGS,
} as const;
const files = { ENOENT: OTHER, EACCES: OTHER, EISDIR: OTHER, ERR_RECORD: "Repair that line, or take another file" };
const summary = "Records every post, once a key, and then answers.";

await runProgram({ name: "post-relay sink", summary, flags, advice: { ...TOKEN_ADVICE, ...files } }, async (values) => {
  // One port, one record: two sinks that are started by mistake do not write to the same.
  const folder = values.port === 0 ? tmpdir() : join(import.meta.dirname, "..");
  const record = values.record ?? join(folder, `posts-${values.port || process.pid}.log`);
  const sink = await startSink(record, { ...withLists(values), onEvent: (event) => say(describeEvent(event)) });
  closeOnSignal(sink, values.graceMs + 1_500);
  sayReady("post-relay sink", sink.url);
  if (values.insecure && !values.token) warn("insecure: whoever reaches this machine may post");
});
