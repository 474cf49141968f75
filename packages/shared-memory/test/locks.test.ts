import assert from "node:assert/strict";
import test from "node:test";
import {
  createMutex,
  createSemaphore,
  createUnbounded,
  openUnboundedReader,
  openUnboundedWriter,
} from "../src/index.ts";
import { bytes, startFixture } from "./support.ts";

const timeout = 20_000;

test("a mutex lets one thread at a time: 4 threads count to 80,000 without atomics", { timeout }, async (t) => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const threads = [1, 2, 3, 4].map(() => startFixture(t, "counter", { words, times: 20_000 }));
  await Promise.all(threads.map((thread) => thread.told("done")));
  assert.equal(words[1], 80_000);
  assert.equal(words[0], 0, "it is free");
});

test("lock() gives up after timeoutMs and says who holds it; unlock() is for the holder", { timeout }, async (t) => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const mutex = createMutex(words, 0);
  assert.throws(() => mutex.unlock(), { code: "EPERM" });
  assert.equal(mutex.tryLock(), true);
  assert.equal(mutex.tryLock(), false);
  assert.throws(() => mutex.lock(), { code: "ERR_MAIN_THREAD" });
  const { code, message } = await startFixture(t, "counter", { words, timeoutMs: 50 }).told("error");
  assert.equal(code, "ETIMEDOUT");
  assert.equal(message, "Cannot lock mutex: thread 0 has held it for more than 50 ms");
  mutex.unlock();
  await startFixture(t, "counter", { words }).told("done");
});

test("a mutex whose holder died goes to the next, who is told; so does a wake-up that died", { timeout }, async (t) => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const holder = startFixture(t, "counter", { words, isHeld: true });
  await holder.told("ready");
  const { threadId } = holder.worker;
  const waiting = [1, 2, 3].map(() => startFixture(t, "counter", { words, times: 10 }));
  await Promise.all(waiting.map((thread) => thread.told("ready")));
  await holder.kill();
  createMutex(words, 0).markDead(threadId + 1);
  const done = await Promise.all(waiting.map((thread) => thread.told("done")));
  assert.equal(done.filter(({ abandoned }) => abandoned === 1).length, 1, "told to one of them, once");
  assert.equal(words[1], 30);
});

test("a semaphore lets as many pass as there are; release() lets the next", { timeout }, async (t) => {
  const words = new Int32Array(new SharedArrayBuffer(16));
  const semaphore = createSemaphore(words, 0);
  semaphore.release(2);
  const threads = [1, 2, 3, 4, 5].map(() => startFixture(t, "passer", { words, times: 500 }));
  await Promise.all(threads.map((thread) => thread.told("done")));
  assert.equal(semaphore.count, 2);
  assert.equal(words[2], 2, "at most two were inside at a time, and once there were two");
  assert.equal(words[3], 2_500, "passages");
});

test("acquireAsync() waits without blocking, and gives up after timeoutMs", { timeout }, async () => {
  const semaphore = createSemaphore(new Int32Array(new SharedArrayBuffer(4)), 0);
  assert.throws(() => semaphore.acquire(), { code: "ERR_MAIN_THREAD" });
  await assert.rejects(semaphore.acquireAsync(30), {
    code: "ETIMEDOUT",
    message: "Cannot acquire semaphore: nobody released it for 30 ms",
  });
  const acquired = semaphore.acquireAsync();
  semaphore.release();
  await acquired;
  assert.equal(semaphore.tryAcquire(), false);
});

test("the unbounded buffer keeps all that was ever written, doubles, and ends at maxBytes", { timeout }, async (t) => {
  const grown: number[] = [];
  const unbounded = createUnbounded({ maxBytes: 4 * 2 ** 20 });
  const writer = openUnboundedWriter(unbounded, { onEvent: ({ heldBytes }) => grown.push(heldBytes) });
  const sipper = startFixture(t, "sipper", { unbounded });
  let written = 0;
  // Returns only by throwing.
  const write = () => {
    for (; ; written++) writer.write(bytes(`message ${written}`.padEnd(1_000)));
  };
  assert.throws(write, { code: "ENOBUFS", heldBytes: 4 * 2 ** 20 });
  writer.close();
  assert.deepEqual(grown, [2 * 2 ** 20, 4 * 2 ** 20]);
  assert.equal((await sipper.told("done"))["read"], written);
  assert.equal(unbounded.byteLength, 4 * 2 ** 20, "reading gives nothing back");

  const small = createUnbounded();
  const both = openUnboundedWriter(small);
  for (const message of ["", "a", "two words"]) both.write(bytes(message));
  const { texts } = await startFixture(t, "sipper", { unbounded: small, count: 3 }).told("done");
  assert.deepEqual(texts, ["", "a", "two words"]);
  assert.throws(() => openUnboundedReader(small).read(), { code: "ERR_MAIN_THREAD" });
});
