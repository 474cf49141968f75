/**
 * The client against a bare pool and global `fetch`, and the server against bare fastify routes: `pnpm bench rest-api`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "REST API", groups: [clients, servers] }, settings);
}

const POOL = "bare undici Pool";
const OURS = "rest-api client";
const FETCH = "global fetch";

const clients: Group = {
  title: "Get a book, 50 in flight: the client",
  unit: "requests/s",
  better: "more",
  variants: [client(POOL, "pool"), client(OURS, "ours"), client(FETCH, "fetch")],
  columns: [
    { title: `x ${POOL}`, ratio: (variant) => [variant, POOL] },
    { title: `x ${FETCH}`, ratio: (variant) => [variant, FETCH] },
  ],
  targets: [
    { variant: OURS, against: POOL, atLeast: 0.9 },
    { variant: OURS, against: FETCH, atLeast: 5 },
  ],
  notes: [
    "All ask a server that has one answer and costs next to nothing. bare undici Pool: request() and body.json().",
    "rest-api client: timeouts, limits, errors, and each answer checked against the contract.",
  ],
  measureMs: 500,
};

const BARE = "fastify, same query";
const API = "rest-api server";
const NO_DATABASE = "fastify, no database";

const servers: Group = {
  title: "Get a book, 50 in flight: the server",
  unit: "requests/s",
  better: "more",
  variants: [server(BARE, "bare"), server(API, "ours"), server(NO_DATABASE, "constant")],
  columns: [
    { title: `x ${BARE}`, ratio: (variant) => [variant, BARE] },
    { title: `x ${NO_DATABASE}`, ratio: (variant) => [variant, NO_DATABASE] },
  ],
  targets: [{ variant: API, against: BARE, atLeast: 0.8 }],
  notes: ["All are asked by the same bare undici Pool. The query reads one book of 24 from a libSQL file."],
  measureMs: 500,
};

function client(name: string, which: string): Variant {
  return { name, module: new URL("./rest-api/clients.ts", import.meta.url), options: { which } };
}

function server(name: string, which: string): Variant {
  return { name, module: new URL("./rest-api/servers.ts", import.meta.url), options: { which } };
}
