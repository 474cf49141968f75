import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { describeEvent, isLocal, readServerKeys, SOCKET_DEFAULTS, startServer, type ZmqEvent } from "../src/index.ts";

const defaults = SOCKET_DEFAULTS;
const flags = {
  host: { type: "text", default: "127.0.0.1", help: "address to listen on; 0.0.0.0 for a network" },
  port: { type: "number", default: PORTS.zmq, max: 65_535, help: "port to listen on; 0 takes a free one" },
  keys: { type: "text", help: "file of curve-keys: encrypts, and lets in only --allow" },
  allow: { type: "text", help: "file with the public keys of clients, one a line" },
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 1, help: "longest message" },
  highWaterMark: { type: "number", default: defaults.highWaterMark, min: 1, help: "messages that may wait, per peer" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
} as const;
const summary = "Answers 'Message Received'. 'stop' ends it, unless it is open to a network.";
const advice = { ENOENT: "Make one with start:curve-keys" };

await runProgram({ name: "zmq server", summary, args: ["url"], flags, advice }, async (values, [given]) => {
  const url = given ?? `tcp://${values.host.includes(":") ? `[${values.host}]` : values.host}:${values.port}`;
  const curve = values.keys ? await readServerKeys(values.keys, values.allow) : undefined;
  const onEvent = (event: ZmqEvent) => say(describeEvent(event));
  const server = await startServer({ ...values, url, curve, allowStop: isLocal(url), onEvent });
  closeOnSignal(server, values.graceMs + 1_500);
  sayReady("zmq", server.url);
});
