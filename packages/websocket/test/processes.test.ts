import assert from "node:assert/strict";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { bin, freeUrl, join, serve, take } from "./support.ts";

const timeout = 20_000;
const text = '{"five":5,"six":6}';

test("start --once shows client first and server first between two processes and ends with 0", {
  timeout,
}, async (t) => {
  const start = startProgram(bin("start"), ["--once"]);
  t.after(() => start.stop("SIGKILL"));
  assert.deepEqual(await start.exited, { code: 0, signal: null });
  assert.deepEqual(start.errors, []);
  const shown = start.output.map((line) => line.replace(/:\d{4,}/g, ":PORT"));
  const of = (role: string) => shown.filter((line) => line.startsWith(role));
  assert.deepEqual(of("client"), [
    `client │ sending   ${text}`,
    `client │ received  ${text}`,
    `client │ received  ${text}`,
    `client │ returning ${text}`,
  ]);
  assert.deepEqual(of("server"), [
    "server │ websocket listening on ws://127.0.0.1:PORT",
    "server │ 127.0.0.1:PORT connected (ipc.session.v1)",
    "server │ 127.0.0.1:PORT closed (1000)",
    "server │ websocket listening on ws://127.0.0.1:PORT",
    "server │ 127.0.0.1:PORT connected (ipc.session.v1)",
    `server │ 127.0.0.1:PORT sending  ${text}`,
    `server │ 127.0.0.1:PORT received ${text}`,
    "server │ 127.0.0.1:PORT closed (1000)",
  ]);
});

test("start serves the page until it is told to stop", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--port", "0"]);
  t.after(() => start.stop("SIGKILL"));
  const url = (await start.ready).replace("ws:", "http:");
  assert.equal(await start.waitForLine(/^open/), `open ${url}; Ctrl-C ends it`);
  assert.match(await (await fetch(url)).text(), /<title>WebSocket<\/title>/);
  assert.deepEqual(await start.stop("SIGINT"), { code: 0, signal: null });
});

test("the server prints its ready line first, and ends with 0 on SIGTERM and on SIGINT", { timeout }, async (t) => {
  const check = async (signal: NodeJS.Signals) => {
    const server = startProgram(bin("server"), ["--port", "0"]);
    t.after(() => server.stop("SIGKILL"));
    const url = await server.ready;
    assert.equal(server.output[0], `websocket listening on ${url}`);
    const { client } = await join(t, url, { waitMs: 0 });
    client.send("hello");
    assert.deepEqual(await take(client, 1), ["hello"]);
    assert.deepEqual(await server.stop(signal), { code: 0, signal: null });
    assert.deepEqual(server.errors, []);
  };
  await Promise.all((["SIGTERM", "SIGINT"] as const).map(check));
});

test("the client takes a URL, a message and a protocol, and escapes what a terminal would obey", {
  timeout,
}, async (t) => {
  const { url } = await serve(t, { handler: () => "\u009b2Jgone?\u202e" });
  const check = async (protocol: string) => {
    const client = startProgram(bin("client"), [url, "--message", '"hi"', "--protocol", protocol]);
    t.after(() => client.stop("SIGKILL"));
    assert.deepEqual(await client.exited, { code: 0, signal: null });
    const reply = 'received  "\\x9b2Jgone?\\u202e"';
    assert.deepEqual(client.output, ['sending   "hi"', reply]);
  };
  await Promise.all(["ipc.echo.v1", "ipc.session.v1"].map(check));
});

test("the server escapes what a terminal would obey", { timeout }, async (t) => {
  const server = startProgram(bin("server"), ["--port", "0", "--first", "server", "--message", '"who?"']);
  t.after(() => server.stop("SIGKILL"));
  const { client } = await join(t, await server.ready);
  assert.deepEqual(await take(client, 1), ["who?"]);
  client.send("\u009b2J");
  assert.match(await server.waitForLine(/received/), /^127\.0\.0\.1:\d+ received "\\x9b2J"$/);
  await client.close();
});

test("either may start first: the client says once that it waits, then works", { timeout }, async (t) => {
  const check = async (first: string) => {
    const url = await freeUrl();
    const client = startProgram(bin("client"), [url, "--first", first]);
    t.after(() => client.stop("SIGKILL"));
    await client.waitForLine(/waiting/);
    const server = startProgram(bin("server"), ["--port", new URL(url).port, "--first", first]);
    t.after(() => server.stop("SIGKILL"));
    assert.deepEqual(await client.exited, { code: 0, signal: null });
    assert.deepEqual(client.errors, [`waiting for ${url}`]);
    assert.equal(client.output.at(-1), first === "client" ? `received  ${text}` : `returning ${text}`);
  };
  await Promise.all(["client", "server"].map(check));
});

test("the client gives up with one line and exit code 1", { timeout }, async (t) => {
  const url = await freeUrl();
  const client = startProgram(bin("client"), [url, "--wait-ms", "0"]);
  t.after(() => client.stop("SIGKILL"));
  assert.deepEqual(await client.exited, { code: 1, signal: null });
  const advice = "Start the server first, or wait longer with --wait-ms";
  assert.deepEqual(client.errors, [`Cannot connect to ${url}: nobody listens there. ${advice}`]);
});

test("the server is pulled away while the client waits for a reply: told, then exit code 1", { timeout }, async (t) => {
  const { url, server } = await serve(t, { handler: () => new Promise(() => {}), graceMs: 0 });
  const client = startProgram(bin("client"), [url, "--wait-ms", "300"]);
  t.after(() => client.stop("SIGKILL"));
  await client.waitForLine(/sending/);
  await server.close();
  assert.deepEqual(await client.exited, { code: 1, signal: null });
  assert.match(client.errors[0] ?? "", /^disconnected from .+: Cannot keep connection to /);
  assert.equal(client.errors[1], `waiting for ${url}`);
  assert.match(client.errors[2] ?? "", /^Cannot connect to .+: nobody listens there\. Start the server first/);
  assert.equal(client.errors.length, 3);
});

test("wrong flags and addresses get one line that says what to do, never a stack trace", { timeout }, async (t) => {
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["server", ["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    ["server", ["--port", "many"], /^Cannot use --port many: it takes a whole number from 0 to 65535\. Try --help$/],
    ["server", ["--first", "both"], /^Cannot use --first both: it takes client or server\. Try --help$/],
    ["server", ["--message", "{five}"], /^Cannot read message: it is no JSON\. --message takes JSON$/],
    [
      "server",
      ["--host", "203.0.113.1", "--port", "0"],
      /^Cannot listen on ws:.+: it is no address of this machine\. Try/,
    ],
    ["client", ["9905"], /^Cannot use address '9905': it is no URL such as ws:\/\/127\.0\.0\.1:1234$/],
    ["client", ["--message", "five"], /^Cannot read message: it is no JSON\. --message takes JSON$/],
    ["client", ["ws://127.0.0.1:1", "more"], /^Cannot use argument 'more'\. Try --help$/],
  ];
  const check = async ([program, args, line]: (typeof cases)[number]) => {
    const child = startProgram(bin(program), args);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
    assert.equal(child.errors.length, 1, child.errors.join("\n"));
    assert.match(child.errors[0] ?? "", line);
  };
  await Promise.all(cases.map(check));
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  const check = async (program: string) => {
    const child = startProgram(bin(program), ["--help"]);
    t.after(() => child.stop("SIGKILL"));
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
    assert.ok(longest <= 80, `${program}: ${longest} columns`);
    assert.ok(child.output.some((line) => line.includes("--help")));
  };
  await Promise.all(["server", "client", "start"].map(check));
});
