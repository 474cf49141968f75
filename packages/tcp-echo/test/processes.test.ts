import assert from "node:assert/strict";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { signalled } from "@ipc/core/testing";
import { connect } from "../src/index.ts";
import { bin, bytes, freeUrl, serve, text } from "./support.ts";

const timeout = 20_000;

test("start shows what passed between two processes and ends with 0", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--once"]);
  t.after(() => start.stop("SIGKILL"));
  assert.deepEqual(await start.exited, { code: 0, signal: null });
  assert.deepEqual(start.errors, []);
  const shown = start.output.map((line) => line.replace(/:\d+/g, ":PORT")).sort();
  assert.deepEqual(shown, [
    "client │ received Hello, client !",
    "client │ sending  Hello, client !",
    "server │ 127.0.0.1:PORT closed",
    "server │ 127.0.0.1:PORT connected",
    "server │ tcp-echo listening on tcp://127.0.0.1:PORT",
  ]);
});

test("the server prints its ready line first, and ends with 0 on SIGTERM and on SIGINT", {
  timeout,
}, async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const server = startProgram(bin("server"), ["--port", "0"]);
    t.after(() => server.stop("SIGKILL"));
    const url = await server.ready;
    assert.equal(server.output[0], `tcp-echo listening on ${url}`);
    const client = await connect(url);
    t.after(() => client.close());
    assert.equal(text(await client.request(bytes("hello"))), "hello");
    assert.deepEqual(await server.stop(signal), { code: 0, signal: null });
    assert.deepEqual(server.errors, []);
  }
});

test("the client takes a URL, a message and a count, and escapes what a terminal would obey", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { handler: () => bytes("\u001b[2Jgone?\r\n") });
  const client = startProgram(bin("client"), [url, "--message", "hi", "--count", "2"]);
  t.after(() => client.stop("SIGKILL"));
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  const reply = "received \\x1b[2Jgone?\\x0d\\x0a";
  assert.deepEqual(client.output, ["sending  hi (2 times)", reply, reply]);
});

test("the client may start first: it says once that it waits, then works", { timeout }, async (t) => {
  const url = await freeUrl();
  const client = startProgram(bin("client"), [url]);
  t.after(() => client.stop("SIGKILL"));
  await client.waitForLine(/waiting/);
  const server = startProgram(bin("server"), ["--port", new URL(url).port]);
  t.after(() => server.stop("SIGKILL"));
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  assert.deepEqual(client.errors, [`waiting for ${url}`]);
  assert.equal(client.output.at(-1), "received Hello, client !");
});

test("the client gives up with one line and exit code 1", { timeout }, async (t) => {
  const url = await freeUrl();
  const client = startProgram(bin("client"), [url, "--wait-ms", "0"]);
  t.after(() => client.stop("SIGKILL"));
  assert.deepEqual(await client.exited, { code: 1, signal: null });
  const advice = "Start the server first, or wait longer with --wait-ms";
  assert.deepEqual(client.errors, [`Cannot connect to ${url}: nobody listens there. ${advice}`]);
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
  assert.equal(client.errors.length, 1);
  assert.match(
    client.errors[0] ?? "",
    /^Cannot get reply from .+\. Check that both sides use the same --framing and .+, then try again$/,
  );
});

test("wrong flags and addresses get one line that says what to do, never a stack trace", {
  timeout,
}, async (t) => {
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["server", ["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    ["server", ["--port", "many"], /^Cannot use --port many: it takes a whole number from 0 to 65535\. Try --help$/],
    ["server", ["--framing", "xml"], /^Cannot use --framing xml: it takes length or lines or raw\. Try --help$/],
    [
      "server",
      ["--host", "203.0.113.1", "--port", "0"],
      /^Cannot listen on .+: it is no address of this machine\. Try/,
    ],
    ["client", ["65432"], /^Cannot use address '65432': it is no URL such as tcp:\/\/127\.0\.0\.1:1234$/],
    ["client", ["tcp://127.0.0.1:1", "more"], /^Cannot use argument 'more'\. Try --help$/],
  ];
  for (const [program, args, line] of cases) {
    const child = startProgram(bin(program), args);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
    assert.equal(child.errors.length, 1, child.errors.join("\n"));
    assert.match(child.errors[0] ?? "", line);
  }
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  for (const program of ["server", "client", "start"]) {
    const child = startProgram(bin(program), ["--help"]);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
    assert.ok(longest <= 80, `${program}: ${longest} columns`);
    assert.ok(child.output.some((line) => line.includes("--help")));
  }
});
