/** Another implementation of RFC 6455 at the other end: Python's websockets, as Debian has it. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ECHO } from "../src/index.ts";
import { FIVE_SIX, join, serve, take } from "./support.ts";

const timeout = 30_000;
const run = promisify(execFile);
/** Debian's packages belong to Debian's Python. */
const PYTHON = "/usr/bin/python3";
const hasWebsockets = await run(PYTHON, ["-c", "import websockets"]).then(
  () => true,
  () => false,
);
const script = (name: string) => fileURLToPath(new URL(`fixtures/${name}.py`, import.meta.url));

/** Skipped by name where the library is not there. */
function pythonTest(name: string, check: (t: TestContext) => Promise<void>) {
  test(name, { timeout }, async (t) => {
    if (!hasWebsockets) return t.skip("needs python3-websockets");
    await check(t);
  });
}

pythonTest("their client, our server: echo, fragments, 1,000 at once, ping, close code", async (t) => {
  const { url } = await serve(t);
  const { stdout } = await run(PYTHON, [script("client"), url]);
  assert.deepEqual(stdout.trim().split("\n"), [
    "ipc.echo.v1 []",
    '{"five":5,"six":6}',
    "[1,2]",
    "True",
    "True",
    "pong",
    "1003 Cannot read message: it is binary, not text",
  ]);
});

pythonTest("our client, their server: echo at every length, heartbeats both ways, close code", async (t) => {
  const server = spawn(PYTHON, [script("server")], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => server.kill("SIGKILL"));
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const url = String((await lines.next()).value).replace(/^.* on /, "");
  const { client, events } = await join(t, url, { protocol: ECHO, heartbeatMs: 1_000 });
  const messages = [FIVE_SIX, ...Array.from({ length: 2_000 }, (_, length) => "é".repeat(length % 300))];
  const taken = take(client, messages.length);
  for (const message of messages) if (!client.send(message)) await client.drained();
  assert.deepEqual(await taken, messages);
  // Two heartbeats of ours and twenty of theirs: neither side gives the other up.
  await sleep(2_200);
  client.send("still here");
  assert.deepEqual(await take(client, 1), ["still here"]);
  await client.close();
  assert.equal((await lines.next()).value, "closed 1000");
  assert.deepEqual(
    events.map(({ type }) => type),
    ["connected"],
  );
});
