/**
 * JSON-RPC over HTTP and over TCP lines, against fastify alone and other libraries: `pnpm bench json-rpc`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";
import type { VariantOptions } from "../src/bench/variant.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "JSON-RPC", groups: [calls, batches] }, settings);
}

const BARE = "bare fastify JSON echo";
const HTTP = "json-rpc, HTTP";
const TCP = "json-rpc, TCP lines";
const JAYSON = "jayson, HTTP";
const PEER = "json-rpc-2.0, TCP lines";

const calls: Group = {
  title: "50 calls in flight",
  unit: "calls/s",
  better: "more",
  variants: [
    variant(BARE, "bare"),
    variant(HTTP, "ours", { protocol: "http" }),
    variant(JAYSON, "jayson"),
    variant(TCP, "ours", { protocol: "tcp" }),
    variant(PEER, "peer"),
  ],
  columns: [
    { title: `x ${BARE}`, ratio: (name) => [name, BARE] },
    { title: `x ${HTTP}`, ratio: (name) => [name, HTTP] },
  ],
  targets: [
    { variant: HTTP, against: BARE, atLeast: 0.85 },
    { variant: HTTP, against: JAYSON, atLeast: 1.8 },
    { variant: TCP, against: HTTP, atLeast: 4 },
    { variant: TCP, against: PEER, atLeast: 1.2 },
  ],
  notes: [
    `${BARE}: app.post("/", (request) => request.body), asked by undici's Pool with 50 connections.`,
    "jayson: its own HTTP server and client as they come; Node's default agent keeps the connections open.",
    "json-rpc-2.0: over the same lines, with the same one write a turn on both sides.",
  ],
  measureMs: 500,
};

const batches: Group = {
  title: "Batches of 100, 4 in flight",
  unit: "calls/s",
  better: "more",
  variants: [
    variant(HTTP, "ours", { protocol: "http", batch: 100, inFlight: 4 }),
    variant(TCP, "ours", { protocol: "tcp", batch: 100, inFlight: 4 }),
  ],
  targets: [{ variant: TCP, against: HTTP, atLeast: 1.2 }],
  measureMs: 500,
};

function variant(name: string, file: string, options: VariantOptions = {}): Variant {
  return { name, module: new URL(`./json-rpc/${file}.ts`, import.meta.url), options };
}
