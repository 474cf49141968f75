import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say, warn } from "@ipc/core/terminal";
import { TOKEN_ADVICE } from "@ipc/core/token";
import { createPeerLog, PEER_FLAGS, readNext, sendJson, startPeer } from "../src/index.ts";

const flags = {
  ...PEER_FLAGS,
  send: { type: "text", help: "JSON to send" },
  count: { type: "number", default: 1, min: 1, help: "how many times to send it" },
  once: { type: "switch", help: "end when what it sent is delivered" },
} as const;
const advice = { ...TOKEN_ADVICE, ENOTCONN: "Name one with --next" };
const summary = "Passes on what others sent; delivers what it sent itself.";
await runProgram({ name: "tcp-relay peer", summary, flags, advice }, async ({ send, count, once, ...values }) => {
  const next = values.next === "-" ? readNext(process.stdin) : values.next;
  const peer = await startPeer({ ...values, next, onEvent: createPeerLog(say) });
  closeOnSignal(peer, values.graceMs + 1_500);
  sayReady(`tcp-relay ${values.name}`, peer.url);
  if (values.insecure && !values.token) warn("insecure: whoever reaches this machine may send");
  await next;
  if (send !== undefined) await sendJson(peer, send, count);
  if (once) await peer.close();
});
