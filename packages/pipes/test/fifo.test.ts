import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, constants, openSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import testAnywhere, { type TestContext } from "node:test";
import { startProgram } from "@ipc/core/child";
import { residentMib, until } from "@ipc/core/testing";
import { type FifoReader, openFifoWriter, startFifoReader } from "../src/index.ts";
import { bin, makeFolder } from "./support.ts";

const timeout = 30_000;

/** Windows has no FIFOs. */
function test(name: string, run: (t: TestContext) => Promise<void>) {
  testAnywhere(name, { timeout, skip: process.platform === "win32" && "Windows has no FIFOs" }, run);
}

/** A reader for one test, what it has read and what it told. */
async function read(t: TestContext, url: string) {
  const errors: string[] = [];
  const reader = await startFifoReader({ url, graceMs: 500, onEvent: ({ error }) => errors.push(error.message) });
  t.after(() => reader.close());
  const lines: string[] = [];
  const done = collect(reader, lines);
  return { reader, lines, errors, done };
}

async function collect(reader: FifoReader, lines: string[]) {
  for await (const line of reader) lines.push(line);
}

async function freeFifo(t: TestContext) {
  const folder = await makeFolder(t);
  return { folder, path: `${folder}/lines`, url: `fifo:${folder}/lines` };
}

/**
 * Writes bytes as any other program would. Neither in this thread nor in another: the first must read what the reader
 * says, and nobody can stop the second while it waits for room or for a reader, not even the end of the process.
 */
function openRaw(t: TestContext, path: string) {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: false, writable: true });
  t.after(() => socket.destroy());
  return (bytes: Uint8Array | string) =>
    new Promise<void>((resolve, reject) => {
      socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
}

test("lines go from a writer to the reader, in order; the FIFO has mode 0600", async (t) => {
  const { url, path } = await freeFifo(t);
  const { reader, lines, done } = await read(t, url);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const writer = await openFifoWriter(url);
  const sent = Array.from({ length: 5_000 }, (_, index) => `line ${index} é漢🙂`);
  await Promise.all(sent.map((line) => writer.send(line)));
  await writer.close();
  await reader.close();
  await done;
  assert.deepEqual(lines, sent, "close() delivers what was on its way");
});

test("four processes write at once: every line arrives whole, each writer's in order", async (t) => {
  const { url } = await freeFifo(t);
  const { reader, lines, done, errors } = await read(t, url);
  const filler = "x".repeat(3_000);
  const writers = ["a", "b", "c", "d"].map((name) =>
    startProgram(bin("fifo-writer"), [url, "--count", "500", "--message", `${name}${filler}${name}`]),
  );
  t.after(() => Promise.all(writers.map((writer) => writer.stop("SIGKILL"))));
  for (const writer of writers) assert.deepEqual(await writer.exited, { code: 0, signal: null });
  await reader.close();
  await done;
  assert.equal(lines.length, 2_000);
  assert.ok(lines.every((line) => /^([abcd])x{3000}\1$/.test(line)));
  assert.deepEqual(errors, []);
});

test("the reader goes on when all writers have left", async (t) => {
  const { url } = await freeFifo(t);
  const { lines } = await read(t, url);
  for (const line of ["one", "", "three"]) {
    const writer = await openFifoWriter(url);
    await writer.send(line);
    await writer.close();
  }
  await until(() => lines.length === 3);
  assert.deepEqual(lines, ["one", "", "three"]);
});

test("the writer may start first: it says once that it waits, then works", async (t) => {
  const { url } = await freeFifo(t);
  const waits: string[] = [];
  const opening = openFifoWriter(url, { onEvent: ({ error }) => waits.push(error.message) });
  await until(() => waits.length === 1);
  const { lines } = await read(t, url);
  const writer = await opening;
  await writer.send("at last");
  await until(() => lines.length === 1);
  await writer.close();
  assert.deepEqual(waits, [`Cannot write to ${url}: there is no such FIFO`]);
});

test("a shell that has been waiting to write is heard when the reader starts", async (t) => {
  const { url, path } = await freeFifo(t);
  execFileSync("sh", ["-c", 'mkfifo "$0"', path]);
  chmodSync(path, 0o666);
  const shell = spawn("sh", ["-c", 'echo waiting; exec > "$0"; echo hello', path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => shell.kill("SIGKILL"));
  await once(shell.stdout, "data");
  const { lines } = await read(t, url);
  await until(() => lines.length === 1);
  assert.deepEqual(lines, ["hello"]);
  assert.equal((await stat(path)).mode & 0o777, 0o600, "from now on only its owner may use it");
});

test("what is no line is dropped with one clear error, the lines around it are kept", async (t) => {
  const { url, path } = await freeFifo(t);
  const { reader, lines, errors, done } = await read(t, url);
  const write = openRaw(t, path);
  await write("before\n");
  await until(() => lines.length === 1);
  await write(`${"x".repeat(30_000)}\nbetween\n`);
  await until(() => lines.length === 2);
  await write(Buffer.concat([Uint8Array.of(0xff, 0xfe, 0x0a), Buffer.from("after\nhalf")]));
  await reader.close();
  await done;
  assert.deepEqual(lines, ["before", "between", "after"]);
  const most = process.platform === "linux" ? 4_095 : 511;
  assert.deepEqual(errors, [
    `Cannot read line of 30000 bytes: limit is ${most}, what a pipe takes in one piece`,
    "Cannot read line of 2 bytes: it is no UTF-8",
    "Cannot read line: it had no end after 4 characters",
  ]);
});

test("random bytes, and a line without an end: memory stays bounded, the next line arrives", async (t) => {
  const { url, path } = await freeFifo(t);
  const reader = startProgram(bin("fifo-reader"), [url]);
  t.after(() => reader.stop("SIGKILL"));
  await reader.ready;
  const write = openRaw(t, path);
  const writeNoise = async (times: number) => {
    for (let count = 0; count < times; count++) await write(randomBytes(65_536));
  };
  // The heap grows to its working size first: what leaks grows on.
  await writeNoise(200);
  const before = residentMib(reader.pid);
  await writeNoise(200);
  await write("\n");
  for (let count = 0; count < 500; count++) await write(Buffer.alloc(65_536, 0x61));
  await write("\nstill here\n");
  await reader.waitForLine(/still here/);
  const grown = (residentMib(reader.pid) ?? 0) - (before ?? 0);
  assert.ok(grown < 64, `grew by ${grown} MiB`);
  assert.deepEqual(await reader.stop(), { code: 0, signal: null });
  t.diagnostic(`59 MB that are no lines: alive, memory grew by ${grown.toFixed(0)} MiB`);
});

test("send() refuses what would not arrive whole, and sends nothing of it", async (t) => {
  const { url } = await freeFifo(t);
  const { lines } = await read(t, url);
  const writer = await openFifoWriter(url);
  t.after(() => writer.close());
  const most = process.platform === "linux" ? 4_095 : 511;
  await assert.rejects(writer.send("two\nlines"), { code: "ERR_FRAME_DELIMITER" });
  await assert.rejects(writer.send("x".repeat(most + 1)), { code: "ERR_FRAME_TOO_LARGE", frameBytes: most + 1 });
  await writer.send("x".repeat(most));
  await until(() => lines.length === 1);
  assert.equal(lines[0]?.length, most);
});

test("a second reader is refused, also when they start at once", async (t) => {
  const { url, folder } = await freeFifo(t);
  for (let round = 0; round < 20; round++) {
    const results = await Promise.allSettled(Array.from({ length: 4 }, () => startFifoReader({ url, graceMs: 0 })));
    const readers = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason.message] : []));
    assert.deepEqual([readers.length, errors], [1, Array(3).fill(`Cannot read ${url}: somebody reads it already`)]);
    await readers[0]?.close();
    assert.deepEqual(await readdir(folder), ["lines"]);
  }
});

test("a reader that is slow slows the writer, and no room in time rejects with ETIMEDOUT", async (t) => {
  const { url } = await freeFifo(t);
  const reader = await startFifoReader({ url, graceMs: 0 });
  t.after(() => reader.close());
  const writer = await openFifoWriter(url, { timeoutMs: 300, maxInFlightBytes: 100_000 });
  t.after(() => writer.close());
  const line = "x".repeat(2_000);
  let sent = 0;
  await assert.rejects(
    async () => {
      for (;;) {
        await writer.send(line);
        sent++;
      }
    },
    { code: "ETIMEDOUT", message: "Cannot write line: there was no room within 300 ms" },
  );
  const results = await Promise.allSettled(Array.from({ length: 60 }, () => writer.send(line)));
  const codes = new Set(results.map((result) => result.status === "rejected" && result.reason.code));
  assert.deepEqual([...codes].sort(), ["ENOBUFS", "ETIMEDOUT"], "what waits is bounded");
  const lines: string[] = [];
  const done = collect(reader, lines);
  await writer.send("the end");
  await until(() => lines.at(-1) === "the end");
  assert.equal(lines.length, sent + 1, "what was said not to be written was not");
  await reader.close();
  await done;
  t.diagnostic(`stalls after ${((sent * line.length) / 1e6).toFixed(1)} MB`);
});

test("the reader is killed: the writer waits for the next one, and says so", async (t) => {
  const { url } = await freeFifo(t);
  const first = startProgram(bin("fifo-reader"), [url]);
  t.after(() => first.stop("SIGKILL"));
  await first.ready;
  const waits: string[] = [];
  const writer = await openFifoWriter(url, { onEvent: ({ error }) => waits.push(error.message) });
  t.after(() => writer.close());
  await writer.send("one");
  await first.waitForLine(/received one/);
  await first.stop("SIGKILL");
  const sending = writer.send("two");
  await until(() => waits.length === 1);
  const second = startProgram(bin("fifo-reader"), [url]);
  t.after(() => second.stop("SIGKILL"));
  await second.waitForLine(/received two/);
  await sending;
  assert.deepEqual(waits, [`Cannot write to ${url}: nobody reads it`]);
});

test("without a reader a line waits for timeoutMs, then rejects", async (t) => {
  const { url } = await freeFifo(t);
  const { reader } = await read(t, url);
  const writer = await openFifoWriter(url, { timeoutMs: 100 });
  await reader.close();
  await assert.rejects(writer.send("anybody?"), { code: "ENXIO" });
  await writer.close();
  await assert.rejects(writer.send("closed"), { code: "EPIPE" });
});

test("what is no FIFO is neither read, written nor removed", async (t) => {
  const { url, path, folder } = await freeFifo(t);
  await writeFile(path, "precious");
  const text = `${path} is no FIFO, and is left as it is`;
  await assert.rejects(startFifoReader({ url }), { code: "ERR_NO_FIFO", message: `Cannot read ${url}: ${text}` });
  await assert.rejects(openFifoWriter(url), { code: "ERR_NO_FIFO", message: `Cannot write to ${url}: ${text}` });
  assert.equal(await readFile(path, "utf8"), "precious");
  assert.deepEqual(await readdir(folder), ["lines"]);
  await assert.rejects(startFifoReader({ url: `fifo:${folder}/none/lines` }), {
    code: "ENOENT",
    message: `Cannot read fifo:${folder}/none/lines: there is no such folder`,
  });
  await assert.rejects(startFifoReader({ url: "unix:/tmp/x" }), { code: "ERR_INVALID_URL" });
  await assert.rejects(openFifoWriter("nonsense"), { code: "ERR_INVALID_URL" });
  await assert.rejects(openFifoWriter(`fifo:${folder}/none`, { waitMs: 0 }), { code: "ENOENT" });
});

test("openFifoWriter() waits for waitMs, and no longer", async (t) => {
  const { url } = await freeFifo(t);
  for (const [waitMs, code] of [
    [0, "ENOENT"],
    [300, "ENOENT"],
    [300, "ENXIO"],
  ] as const) {
    // A reader that has gone leaves its FIFO.
    if (code === "ENXIO") await (await startFifoReader({ url })).close();
    const waiting: string[] = [];
    const start = performance.now();
    await assert.rejects(openFifoWriter(url, { waitMs, onEvent: ({ error }) => waiting.push(error.message) }), {
      code,
    });
    const tookMs = performance.now() - start;
    // Timers may be 1 ms early.
    assert.ok(tookMs >= waitMs - 1 && tookMs < waitMs + 2_000, `${tookMs} ms of ${waitMs}`);
    assert.equal(waiting.length, waitMs === 0 ? 0 : 1);
  }
});

test("a loop that is left ends the reader", async (t) => {
  const { url } = await freeFifo(t);
  const reader = await startFifoReader({ url });
  const writer = await openFifoWriter(url);
  await Promise.all([writer.send("one"), writer.send("two")]);
  for await (const line of reader) {
    assert.equal(line, "one");
    break;
  }
  await reader.close();
  await writer.close();
});
