/** The example's peer without a line for every message. */
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { startPeer } from "@ipc/tcp-relay";

const flags = { next: { type: "text", help: "URL of the next peer" } } as const;

await runProgram({ name: "quiet peer", summary: "A peer for the benchmark.", flags }, async ({ next }) => {
  const peer = await startPeer({ name: next === undefined ? "final" : "relay", next });
  closeOnSignal(peer);
  sayReady("quiet peer", peer.url);
});
