import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect } from "../src/index.ts";
import { bin, come, plainSocket, serve, throwAt } from "./support.ts";

const timeout = 120_000;
const isHeavy = process.env["IPC_HEAVY"] === "1";
const PACKETS = isHeavy ? 20_000 : 2_000;
const SOCKETS = isHeavy ? 400 : 100;

/** What the advisories of engine.io, socket.io-parser and ws were about, and what is like it. */
const KNOWN = [
  '42["error"]',
  '42["disconnect"]',
  '42["newListener"]',
  '42["disconnecting","x"]',
  '42[""]',
  "42[]",
  '42[{"toString":"x"}]',
  '42[["say"]]',
  '42{"0":"say"}',
  "42",
  "43",
  '43["x"]',
  '4399999999999999999999["x"]',
  '42-1["say"]',
  '421e309["say"]',
  '45-["say"]',
  '4511-["say",{"_placeholder":true,"num":0}]',
  '451-["say",{"_placeholder":true,"num":"splice"}]',
  '4599999999-["say"]',
  "46",
  "47",
  "40/nowhere,",
  "40/__proto__,",
  '40{"__proto__":{"x":1}}',
  "40",
  "41",
  "44",
  "0",
  "1",
  "2",
  "2probe",
  "3",
  "5",
  "6",
  "7",
  "b",
  "bAAAA",
  "\u0000",
  "",
  `42["say",${"[".repeat(5_000)}${"]".repeat(5_000)}]`,
  `42["say","${"\ud800"}"]`,
];

test(`${PACKETS} malformed packets: closed or refused, the server lives and holds nothing of them`, {
  timeout,
}, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0", "--max-events-per-second", "1000"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const ann = await come(t, url, { name: "Ann" });
  for (const packet of KNOWN) await throwAt(url, [packet]);
  const idleMib = residentMib(server.pid);
  for (let sent = 0; sent < PACKETS; sent += 20) await throwAt(url, Array.from({ length: 20 }, fuzzed));
  assert.equal(typeof (await ann.client.say("still here")), "number");
  assert.deepEqual(server.errors, []);
  const grownMib = (residentMib(server.pid) ?? 0) - (idleMib ?? 0);
  assert.ok(grownMib < 48, `grew by ${grownMib} MiB`);
  t.diagnostic(`grew by ${grownMib.toFixed(0)} MiB`);
});

/** A good packet with something wrong in it, or noise. */
function fuzzed(): string | Buffer {
  const good = [...'42["say",{"id":"x","text":"hi"}]'];
  const choice = Math.random();
  if (choice < 0.2) return randomBytes(Math.ceil(Math.random() * 100));
  const at = () => Math.floor(Math.random() * good.length);
  for (let count = Math.ceil(Math.random() * 4); count > 0; count--) {
    if (choice < 0.5) good[at()] = String.fromCodePoint(Math.floor(Math.random() * 0x100));
    else if (choice < 0.8) good.splice(at(), 1);
    else good.splice(at(), 0, ...good.slice(at(), at()));
  }
  return good.join("");
}

test("a client that floods does not delay the others", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const ann = await come(t, url, { name: "Ann" });
  const bob = await come(t, url, { name: "Bob" });
  const flooding = (async () => {
    for (let count = 0; count < 10; count++) {
      const flood = await plainSocket(t, url);
      const gone = new Promise((resolve) => flood.on("disconnect", resolve));
      for (let index = 0; index < 1_000; index++) flood.emit("say", { id: `${index}`, text: "flood" });
      await gone;
    }
  })();
  const delays: number[] = [];
  for (let count = 0; count < 30; count++) {
    const text = `quick ${count}`;
    const saidAt = performance.now();
    await ann.client.say(text);
    await bob.saw("message", ({ message }) => message.text === text);
    delays.push(performance.now() - saidAt);
  }
  await flooding;
  const median = delays.toSorted((a, b) => a - b)[15] ?? 0;
  assert.ok(median < 250, `median delay ${median} ms`);
});

test(`${SOCKETS} people in one room: all hear all, and all are gone when they leave`, { timeout }, async (t) => {
  const { url, events } = await serve(t, { awayMs: 0, maxEventsPerSecond: 1_000 });
  const clients = await Promise.all(
    Array.from({ length: SOCKETS }, (_, index) =>
      connect(url, { name: `P${index}`, waitMs: 60_000, timeoutMs: 30_000 }),
    ),
  );
  t.after(() => Promise.all(clients.map((client) => client.close())));
  const counts = clients.map(async (client) => {
    let count = 0;
    for await (const event of client) if (event.type === "message" && ++count === 20) return count;
    return count;
  });
  for (let count = 0; count < 20; count++) await clients[count]?.say(`${count}`);
  assert.deepEqual(await Promise.all(counts), Array(SOCKETS).fill(20));
  await Promise.all(clients.map((client) => client.close()));
  await until(() => events.filter(({ type }) => type === "left").length >= SOCKETS - 1);
  const late = await come(t, url, { name: "Late" });
  assert.deepEqual(late.client.people, ["Late"]);
});
