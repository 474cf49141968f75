import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { signalled } from "@ipc/core/testing";
import { connect } from "../src/index.ts";
import { bin, bytes, freeUrl, makeFolder, serve, text } from "./support.ts";

const timeout = 60_000;

test("start shows what passed between two processes and ends with 0", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--once"]);
  t.after(() => start.stop("SIGKILL"));
  assert.deepEqual(await start.exited, { code: 0, signal: null });
  assert.deepEqual(start.errors, []);
  const fifos = [
    "fifo-reader │ pipes fifo listening on fifo:…/lines.fifo",
    "fifo-reader │ received Hello, reader !",
    "fifo-writer │ sending  Hello, reader !",
  ];
  assert.deepEqual(start.output.toSorted(), [
    "client      │ received Hello, socket !",
    "client      │ sending  Hello, socket !",
    ...(process.platform === "win32" ? [] : fifos),
    "parent      │ received Hello, child !",
    "parent      │ received Hello, child !",
    "parent      │ sending  Hello, child !",
    "parent      │ sending  Hello, child !",
    "server      │ client 1 closed",
    "server      │ client 1 connected",
    "server      │ pipes listening on unix:…/echo.sock",
  ]);
});

test("the server prints its ready line first, and ends with 0 on SIGTERM and on SIGINT", {
  timeout,
}, async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const server = startProgram(bin("server"), [await freeUrl(t)]);
    t.after(() => server.stop("SIGKILL"));
    const url = await server.ready;
    assert.equal(server.output[0], `pipes listening on ${url}`);
    const client = await connect(url);
    t.after(() => client.close());
    assert.equal(text(await client.request(bytes("hello"))), "hello");
    assert.deepEqual(await server.stop(signal), { code: 0, signal: null });
    assert.deepEqual(server.errors, []);
    assert.equal(existsSync(url.slice("unix:".length)), false);
  }
});

test("the FIFO's reader ends with 0 on SIGTERM and on SIGINT, also when nobody ever writes", {
  timeout,
}, async (t) => {
  if (process.platform === "win32") return t.skip("Windows has no FIFOs");
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const reader = startProgram(bin("fifo-reader"), [`fifo:${await makeFolder(t)}/lines`]);
    t.after(() => reader.stop("SIGKILL"));
    await reader.ready;
    assert.deepEqual(await reader.stop(signal), { code: 0, signal: null });
    assert.deepEqual(reader.errors, []);
  }
});

test("the client escapes what a terminal would obey", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: () => bytes("\u001b[2Jgone?\r\n") });
  const client = startProgram(bin("client"), [url, "--message", "hi"]);
  t.after(() => client.stop("SIGKILL"));
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  assert.deepEqual(client.output, ["sending  hi", "received \\x1b[2Jgone?\\x0d\\x0a"]);
});

test("the client may start first: it says once that it waits, then works", { timeout }, async (t) => {
  const url = await freeUrl(t);
  const client = startProgram(bin("client"), [url]);
  t.after(() => client.stop("SIGKILL"));
  await client.waitForLine(/waiting/);
  const server = startProgram(bin("server"), [url]);
  t.after(() => server.stop("SIGKILL"));
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  assert.deepEqual(client.errors, [`waiting for ${url}`]);
  assert.equal(client.output.at(-1), "received Hello, socket !");
});

test("a client that waits ends at once on SIGINT", { timeout }, async (t) => {
  const client = startProgram(bin("client"), [await freeUrl(t)]);
  t.after(() => client.stop("SIGKILL"));
  await client.waitForLine(/waiting/);
  assert.deepEqual(await client.stop("SIGINT"), { code: null, signal: "SIGINT" });
});

test("the server is pulled away while the client waits for a reply: one line, exit code 1", {
  timeout,
}, async (t) => {
  const asked = signalled();
  const handler = () => {
    asked.resolve();
    return new Promise<Uint8Array>(() => {});
  };
  const { url, server } = await serve(t, { handler, graceMs: 0 });
  const client = startProgram(bin("client"), [url]);
  t.after(() => client.stop("SIGKILL"));
  await asked.promise;
  await server.close();
  assert.deepEqual(await client.exited, { code: 1, signal: null });
  assert.deepEqual(client.errors, [`Cannot get reply from ${url}: the server closed the connection. Try again`]);
});

test("the parent ends its child on SIGTERM, and both end", { timeout }, async (t) => {
  const parent = startProgram(bin("parent"), ["--timeout-ms", "60000", "--", "sleep", "60"]);
  t.after(() => parent.stop("SIGKILL"));
  await parent.waitForLine(/sending/);
  const { code } = await parent.stop("SIGTERM");
  assert.equal(code, 1, "its request got no reply");
  assert.match(parent.errors.join(), /no reply came within 3000 ms of close\(\)/);
});

test("wrong flags, addresses and programs get one line that says what to do, never a stack trace", {
  timeout,
}, async (t) => {
  const folder = await makeFolder(t);
  await writeFile(`${folder}/file`, "");
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["server", ["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    ["server", ["/tmp/x"], /^Cannot use address '\/tmp\/x': it is no URL such as unix:\/tmp\/example$/],
    ["server", [`unix:${folder}/none/x`], /: there is no such folder$/],
    ["server", [`unix:${folder}/file`], /: .+\/file is no socket, and is left as it is$/],
    ["server", [`unix:/tmp/${"x".repeat(200)}`], /^Cannot use path of 205 bytes for a socket: limit is \d+$/],
    ["client", ["tcp://127.0.0.1:1"], /^Cannot use address 'tcp:.+': it is no URL such as unix:\/tmp\/example$/],
    ["client", [`unix:${folder}/file`], /: it is no socket$/],
    ["client", [`unix:${folder}/x`, "--wait-ms", "0"], /: there is no such socket\. Start the server first, or wait/],
    ["client", [`unix:${folder}/x`, "more"], /^Cannot use argument 'more'\. Try --help$/],
    ["parent", ["no-such-program"], /^Cannot start no-such-program: there is no such program$/],
    ["parent", ["ls", "/"], /^Cannot read frame of .+\. It prints something else on its standard output$/],
    ["parent", ["false"], /: the child ended with exit code 1\. Look at what it wrote$/],
    ["parent", ["--channel", "fork", "cat"], /^Cannot fork a command: leave out --channel$/],
    ["fifo-reader", [`fifo:${folder}/file`], /: .+\/file is no FIFO, and is left as it is$/],
    ["fifo-writer", [`fifo:${folder}/file`], /: .+\/file is no FIFO, and is left as it is$/],
    ["fifo-writer", [`fifo:${folder}/x`, "--wait-ms", "0"], /: there is no such FIFO\. Start the reader first/],
  ];
  const unlessWindows = cases.filter(([program]) => process.platform !== "win32" || program === "server");
  await Promise.all(
    unlessWindows.map(async ([program, args, line]) => {
      const child = startProgram(bin(program), args);
      t.after(() => child.stop("SIGKILL"));
      assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
      assert.equal(child.errors.length, 1, child.errors.join("\n"));
      assert.match(child.errors[0] ?? "", line);
    }),
  );
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  await Promise.all(
    ["server", "client", "parent", "child", "fifo-reader", "fifo-writer", "start"].map(async (program) => {
      const child = startProgram(bin(program), ["--help"]);
      t.after(() => child.stop("SIGKILL"));
      assert.deepEqual(await child.exited, { code: 0, signal: null });
      const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
      assert.ok(longest <= 80, `${program}: ${longest} columns`);
      assert.ok(child.output.some((line) => line.includes("--help")));
    }),
  );
});
