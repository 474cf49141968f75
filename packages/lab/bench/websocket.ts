/**
 * JSON over one WebSocket and to many at once, against `ws` as it is: `pnpm bench websocket`.
 *
 * @module
 */
import type { BenchSettings, Group, Variant } from "../src/bench/group.ts";
import { runSuite } from "../src/bench/suite.ts";
import type { VariantOptions } from "../src/bench/variant.ts";

/** Measures and prints. */
export async function run(settings: BenchSettings): Promise<void> {
  await runSuite({ title: "WebSocket", groups: [roundTrip, small, large, broadcast, deflated] }, settings);
}

const BARE = "bare ws";
const ECHO = "websocket, ipc.echo.v1";
const SESSION = "websocket, ipc.session.v1";
const DEFLATE = "bare ws, deflate";

const roundTrip: Group = {
  title: "Round trip of 64 B, all on one core",
  unit: "µs",
  better: "less",
  isPinned: true,
  variants: [
    pair(BARE, "bare", { inFlight: 1 }),
    pair(ECHO, "ours", { inFlight: 1, protocol: "ipc.echo.v1" }),
    pair(SESSION, "ours", { inFlight: 1, protocol: "ipc.session.v1" }),
    pair(DEFLATE, "bare", { inFlight: 1, deflate: true }),
  ],
  targets: [{ variant: ECHO, against: BARE, atMost: 1.1 }],
  notes: ["bare ws: the server returns the bytes that came; nobody reads or writes JSON."],
  measureMs: 300,
};

const small: Group = {
  title: "64 B, 500 in flight",
  unit: "messages/s",
  better: "more",
  variants: throughput(64),
  targets: [{ variant: ECHO, against: BARE, atLeast: 2.5 }],
  measureMs: 500,
};

const large: Group = {
  title: "1 KiB, 500 in flight",
  unit: "messages/s",
  better: "more",
  variants: throughput(1_024),
  targets: [{ variant: ECHO, against: BARE, atLeast: 2 }],
  measureMs: 500,
};

const broadcast: Group = {
  title: "Bursts of 100 messages of 64 B to 200 clients",
  unit: "deliveries/s",
  better: "more",
  variants: [
    { name: BARE, module: new URL("./websocket/broadcast.ts", import.meta.url), options: { server: "bare" } },
    { name: ECHO, module: new URL("./websocket/broadcast.ts", import.meta.url), options: { server: "ipc.echo.v1" } },
    {
      name: SESSION,
      module: new URL("./websocket/broadcast.ts", import.meta.url),
      options: { server: "ipc.session.v1" },
    },
  ],
  targets: [{ variant: ECHO, against: BARE, atLeast: 3 }],
  notes: ["bare ws: a loop over send(). A burst is over when every client has said that it has all of it."],
  measureMs: 500,
};

const deflated: Group = {
  title: "A list of 500 objects (27 kB), there and back",
  unit: "µs",
  better: "less",
  variants: [
    pair(BARE, "bare", { inFlight: 1, list: 500 }),
    pair(DEFLATE, "bare", { inFlight: 1, list: 500, deflate: true }),
  ],
  measureMs: 300,
};

function throughput(messageBytes: number): Variant[] {
  const options = { messageBytes, inFlight: 500 };
  return [
    pair(BARE, "bare", options),
    pair(ECHO, "ours", { ...options, protocol: "ipc.echo.v1" }),
    pair(SESSION, "ours", { ...options, protocol: "ipc.session.v1" }),
  ];
}

function pair(name: string, file: string, options: VariantOptions): Variant {
  return {
    name,
    module: new URL(`./websocket/${file}.ts`, import.meta.url),
    options: { messageBytes: 64, ...options },
  };
}
