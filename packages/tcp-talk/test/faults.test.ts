import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import test from "node:test";
import { type Child, startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { connect } from "../src/index.ts";
import { bin, dial, hearAll, receive, serve } from "./support.ts";

const isHeavy = process.env["IPC_HEAVY"] === "1";
const timeout = isHeavy ? 600_000 : 60_000;

test("random bytes from many callers: escaped, alive, memory bounded", { timeout }, async (t) => {
  const count = isHeavy ? 20_000 : 500;
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const throwGarbage = async (times: number) => {
    for (let call = 0; call < times; call++) {
      const socket = await dial(t, url);
      // Who has ended is let go when the next one calls.
      socket.end(randomBytes(1_000));
      await once(socket, "finish");
    }
  };
  await throwGarbage(200);
  const before = residentMib(server.pid);
  await throwGarbage(count);
  const grown = (residentMib(server.pid) ?? 0) - (before ?? 0);
  assert.ok(grown <= 64, `grew by ${grown} MiB`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
  const obeyed = server.output.filter((line) => /[\u0000-\u001f\u007f-\u009f]/.test(line));
  assert.deepEqual(obeyed, []);
  const talk = await callUntilHeard(server, url, "still here");
  await talk.close();
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  t.diagnostic(`${count} callers with random bytes: memory grew by ${grown.toFixed(0)} MiB`);
});

test("callers that are killed one after another leave nothing behind", { timeout }, async (t) => {
  const count = isHeavy ? 10_000 : 300;
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const wave = async (times: number) => {
    for (let call = 0; call < times; call++) {
      const socket = await dial(t, url);
      socket.write("half a li");
      socket.resetAndDestroy();
    }
  };
  await wave(count);
  const before = residentMib(server.pid);
  await wave(count);
  const talk = await callUntilHeard(server, url, "still here");
  const grown = (residentMib(server.pid) ?? 0) - (before ?? 0);
  assert.ok(grown <= 16, `grew by ${grown} MiB`);
  await talk.close();
  // Ends by itself: were a handle left open, it would end with 1 and say which.
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});

test("64 MiB without a newline: let go at the limit, in little memory", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0"]);
  t.after(() => server.stop("SIGKILL"));
  const url = await server.ready;
  const before = residentMib(server.pid);
  const socket = await dial(t, url);
  const reply = receive(socket);
  socket.end(Buffer.alloc(67_108_864, 0x61));
  assert.match(await reply, /limit is 1048576\n$/);
  const grown = (residentMib(server.pid) ?? 0) - (before ?? 0);
  assert.ok(grown <= 16, `grew by ${grown} MiB`);
});

test("who has left and takes nothing does not keep the next caller waiting for longer than graceMs", {
  timeout,
}, async (t) => {
  const { url, told, talks, heard } = await serve(t, {
    graceMs: 200,
    async handler(talk) {
      talks.push(talk);
      for await (const line of talk) heard.push(line);
      if (talks.length === 1) for (;;) await talk.send("a".repeat(100_000));
    },
  });
  const first = await dial(t, url);
  first.pause();
  first.end("first\n");
  await told("left");
  await until(() => talks[0]?.hasLeft);
  const from = performance.now();
  const second = await connect(url);
  await second.send("second");
  await until(() => heard.includes("second"));
  const waitedMs = performance.now() - from;
  assert.ok(waitedMs < 1_000, `waited ${waitedMs} ms`);
  await second.close();
});

test("close() of a server whose handler never returns is done within graceMs", { timeout }, async (t) => {
  const { server, url } = await serve(t, { graceMs: 200, handler: () => new Promise(() => {}) });
  const talk = await connect(url);
  const heard = hearAll(talk);
  const from = performance.now();
  await server.close();
  const tookMs = performance.now() - from;
  assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
  assert.deepEqual(await heard, []);
});

test("a caller who resets the connection is told of to the handler, and the line is free", { timeout }, async (t) => {
  const { url, told, heard } = await serve(t);
  const socket = await dial(t, url);
  socket.write("a line\nand half");
  await until(() => heard.length === 1);
  socket.resetAndDestroy();
  const { peer, error } = await told("dropped");
  assert.equal(error.message, `Cannot talk to tcp://${peer}: the connection was lost`);
  assert.equal("code" in error && error.code, "ECONNRESET");
  const talk = await connect(url);
  await talk.send("next");
  await talk.close();
});

/** Calls until a line comes through: who was killed is noticed a moment later. */
async function callUntilHeard(server: Child, url: string, line: string) {
  const isHeard = server.waitForLine(new RegExp(`^${line}$`)).then(() => true);
  for (;;) {
    const talk = await connect(url);
    await talk.send(line);
    const isOver = hearAll(talk).then(
      () => false,
      () => false,
    );
    if (await Promise.race([isHeard, isOver])) return talk;
  }
}
