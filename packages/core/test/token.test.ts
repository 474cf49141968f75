import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame, lengthFraming } from "../src/framing.ts";
import { checkOpen, isToken, readFirstFrame } from "../src/token.ts";
import { connectedPair } from "./support.ts";

const timeout = 15_000;
const TOKEN = "0123456789abcdef";
const text = (bytes: Uint8Array | null) => (bytes === null ? "" : new TextDecoder().decode(bytes));

test("checkOpen() wants a token, or insecure, on every host but this machine's own", () => {
  for (const host of ["127.0.0.1", "127.1.2.3", "localhost", "::1", "::ffff:127.0.0.1"]) checkOpen(host, {});
  for (const host of ["0.0.0.0", "::", "192.168.1.2", "example.org", "127.example.org", "localhost.example.org"]) {
    assert.throws(() => checkOpen(host, {}), { code: "ERR_NO_TOKEN", host });
    assert.throws(() => checkOpen(host, { insecure: false }), { code: "ERR_NO_TOKEN" });
    checkOpen(host, { token: TOKEN });
    checkOpen(host, { insecure: true });
  }
});

test("checkOpen() refuses what is no token anywhere, and does not tell it", () => {
  for (const token of ["", "short", `${TOKEN} with blanks`, `${TOKEN}\n`, "é".repeat(16), "x".repeat(257)]) {
    assert.throws(
      () => checkOpen("127.0.0.1", { token }),
      (error: Error) => error instanceof RangeError && !(token && error.message.includes(token)),
    );
  }
});

test("isToken() knows the token and nothing else", () => {
  assert.equal(isToken(TOKEN, TOKEN), true);
  for (const other of ["", TOKEN.slice(1), `${TOKEN}\n`, ` ${TOKEN}`, TOKEN.toUpperCase()]) {
    assert.equal(isToken(other, TOKEN), false);
  }
});

test("readFirstFrame() takes the first frame, however it is cut, and leaves what is behind it", {
  timeout,
}, async (t) => {
  const { near, far } = await connectedPair(t);
  const frame = readFirstFrame(near, { framing: lengthFraming });
  const wire = encodeFrame(lengthFraming, new TextEncoder().encode(TOKEN));
  far.write(wire.subarray(0, 2));
  await new Promise((resolve) => near.once("readable", resolve));
  far.end(Buffer.concat([wire.subarray(2), Buffer.from("behind it")]));
  assert.equal(text(await frame), TOKEN);
  const rest: string[] = [];
  for await (const chunk of near) rest.push(text(chunk));
  assert.equal(rest.join(""), "behind it");
});

test("readFirstFrame() takes no more than 512 bytes from a stranger", { timeout }, async (t) => {
  const { near, far } = await connectedPair(t);
  far.write("x".repeat(100_000));
  await assert.rejects(readFirstFrame(near), { code: "ERR_FRAME_TOO_LARGE", maxFrameBytes: 512 });
});

test("readFirstFrame() waits neither for who is silent nor for who is gone", { timeout }, async (t) => {
  const silent = await connectedPair(t);
  const start = performance.now();
  await assert.rejects(readFirstFrame(silent.near, { timeoutMs: 100 }), { code: "ETIMEDOUT" });
  assert.ok(performance.now() - start >= 98);

  const leaving = await connectedPair(t);
  leaving.far.end("no newl");
  await assert.rejects(readFirstFrame(leaving.near), { code: "EPIPE" });

  const killed = await connectedPair(t);
  const read = readFirstFrame(killed.near);
  killed.far.resetAndDestroy();
  await assert.rejects(read, { code: "EPIPE" });

  const stop = new AbortController();
  const other = await connectedPair(t);
  const waiting = readFirstFrame(other.near, { signal: stop.signal });
  stop.abort();
  await assert.rejects(waiting, { code: "EPIPE" });
  await assert.rejects(readFirstFrame(other.near, { signal: stop.signal }), { code: "EPIPE" });
  for (const name of ["readable", "end"]) assert.equal(other.near.listenerCount(name) <= 1, true, name);
});
