import { text } from "node:stream/consumers";
import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { createPeerLog, PEER_DEFAULTS as defaults, sendJson, startPeer } from "../src/index.ts";

const flags = {
  name: { type: "text", default: defaults.name, help: "what it is called: the origin of what it sends" },
  host: { type: "text", default: defaults.host, help: "address to listen on; 0.0.0.0 for a network" },
  port: { type: "number", default: PORTS["tcp-relay-a"], max: 65_535, help: "port to listen on; 0: a free one" },
  next: { type: "text", help: "URL of the next peer; -: from stdin; none: all ends here" },
  send: { type: "text", help: "JSON to send" },
  count: { type: "number", default: 1, min: 1, help: "how many times to send it" },
  once: { type: "switch", help: "end when what it sent is delivered" },
  logFile: { type: "text", help: "where to keep the ids of what was delivered" },
  maxFrameBytes: { type: "number", default: defaults.maxFrameBytes, min: 1, help: "longest message" },
  windowBytes: { type: "number", default: defaults.windowBytes, min: 1, help: "own bytes on their way" },
  heartbeatMs: { type: "number", default: defaults.heartbeatMs, min: 1, help: "time between signs of life" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to finish when told to stop" },
} as const;
const advice = { ENOTCONN: "Name one with --next" };
const summary = "Passes on what others sent; delivers what it sent itself.";
await runProgram({ name: "tcp-relay peer", summary, flags, advice }, async ({ send, count, once, ...values }) => {
  const next = values.next === "-" ? text(process.stdin) : values.next;
  const peer = await startPeer({ ...values, next, onEvent: createPeerLog(say) });
  closeOnSignal(peer, values.graceMs + 1_500);
  sayReady(`tcp-relay ${values.name}`, peer.url);
  if (send !== undefined) await sendJson(peer, send, count);
  if (once) await peer.close();
});
