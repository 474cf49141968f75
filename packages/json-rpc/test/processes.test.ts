import assert from "node:assert/strict";
import test from "node:test";
import { startProgram } from "@ipc/core/child";
import { signalled } from "@ipc/core/testing";
import { bin, freeUrls, open, portOf, serve } from "./support.ts";

const timeout = 20_000;

test("start shows what passed between two processes and ends with 0", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--once"]);
  t.after(() => start.stop("SIGKILL"));
  assert.deepEqual(await start.exited, { code: 0, signal: null });
  assert.deepEqual(start.errors, []);
  const shown = start.output.map((line) => line.replace(/:\d+$/g, ":PORT")).sort();
  assert.deepEqual(shown, [
    "client │ calling  subtract [42,23]",
    "client │ received 19",
    "server │ json-rpc listening on http://127.0.0.1:PORT",
    "server │ json-rpc listening on tcp://127.0.0.1:PORT",
  ]);
});

test("the server prints its ready lines first, HTTP before TCP, and ends with 0 on SIGTERM and on SIGINT", {
  timeout,
}, async (t) => {
  const signals = ["SIGTERM", "SIGINT"] as const;
  const servers = signals.map((signal) => ({ signal, server: startProgram(bin("server"), ["--port", "0"]) }));
  t.after(() => Promise.all(servers.map(({ server }) => server.stop("SIGKILL"))));
  for (const { signal, server } of servers) {
    const http = await server.ready;
    const tcp = (await server.waitForLine(/tcp:/)).split(" ").at(-1) ?? "";
    assert.deepEqual(server.output, [`json-rpc listening on ${http}`, `json-rpc listening on ${tcp}`]);
    for (const url of [http, tcp]) assert.equal(await (await open(t, url)).call("add", [1, 2]), 3);
    assert.deepEqual(await server.stop(signal), { code: 0, signal: null });
    assert.deepEqual(server.errors, []);
  }
});

test("the client calls over either protocol, notifies, and shows what a terminal would obey as text", {
  timeout,
}, async (t) => {
  const notified = signalled();
  const methods = { show: () => "\u001b[2Jgone?\u009b", note: () => notified.resolve() };
  const { http, tcp } = await serve(t, { methods });
  const clients = [http, tcp].map((url) => startProgram(bin("client"), [url, "--method", "show", "--params", "[]"]));
  const client = startProgram(bin("client"), [tcp, "--method", "note", "--params", "{}", "--notify"]);
  t.after(() => Promise.all([client, ...clients].map((one) => one.stop("SIGKILL"))));
  for (const client of clients) {
    assert.deepEqual(await client.exited, { code: 0, signal: null });
    assert.deepEqual(client.output, ["calling  show []", 'received "\\u001b[2Jgone?\\x9b"']);
  }
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  assert.deepEqual(client.output, ["calling  note {}", "sent"]);
  await notified.promise;
});

test("the client may start first: it says once that it waits, then works", { timeout }, async (t) => {
  const [http, tcp] = await freeUrls();
  const clients = [http, tcp].map((url) => startProgram(bin("client"), [url]));
  t.after(() => Promise.all(clients.map((client) => client.stop("SIGKILL"))));
  await Promise.all(clients.map((client) => client.waitForLine(/waiting/)));
  const server = startProgram(bin("server"), ["--port", `${portOf(http)}`, "--tcp-port", `${portOf(tcp)}`]);
  t.after(() => server.stop("SIGKILL"));
  for (const [index, client] of clients.entries()) {
    assert.deepEqual(await client.exited, { code: 0, signal: null });
    assert.deepEqual(client.errors, [`waiting for ${[http, tcp][index]}`]);
    assert.equal(client.output.at(-1), "received 19");
  }
});

test("what goes wrong is one line that says what to do, exit code 1, never a stack trace", {
  timeout: 40_000,
}, async (t) => {
  const { http, server } = await serve(t);
  const [nobody] = await freeUrls();
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["client", [http, "--method", "nope"], /^-32601 Method not found$/],
    ["client", [http, "--params", "[1]"], /^-32602 Invalid params: "subtrahend is missing"$/],
    ["client", [http, "--params", "7"], /^Cannot send params: they must be an array or an object, current value is 7$/],
    ["client", [http, "--params", "{"], /JSON/],
    ["client", [nobody, "--wait-ms", "0"], /^Cannot connect to .+: nobody listens there\. Start the server first/],
    ["client", ["4000"], /^Cannot use address '4000': it is no URL such as /],
    ["client", [http, "more"], /^Cannot use argument 'more'\. Try --help$/],
    ["server", ["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    ["server", ["--tcp-port", "70000"], /^Cannot use --tcp-port 70000: it takes a whole number from 0 to 65535\. Try/],
    ["server", ["--host", "203.0.113.1", "--port", "0"], /^Cannot listen on http:.+: it is no address of this machine/],
  ];
  const children = cases.map(([program, args]) => startProgram(bin(program), args));
  t.after(() => Promise.all(children.map((child) => child.stop("SIGKILL"))));
  for (const [index, child] of children.entries()) {
    const [, args, line] = cases[index] ?? ["", [], /./];
    assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
    assert.equal(child.errors.length, 1, child.errors.join("\n"));
    assert.match(child.errors[0] ?? "", line);
  }
  await server.close();
});

test("the server is pulled away while the client waits for a result: one line, exit code 1", {
  timeout,
}, async (t) => {
  async function pullAway(protocol: "http" | "tcp") {
    const begun = signalled();
    const methods = {
      stuck() {
        begun.resolve();
        return new Promise(() => {});
      },
    };
    const { server, ...urls } = await serve(t, { methods, graceMs: 0 });
    const client = startProgram(bin("client"), [urls[protocol], "--method", "stuck"]);
    t.after(() => client.stop("SIGKILL"));
    await begun.promise;
    await server.close();
    assert.deepEqual(await client.exited, { code: 1, signal: null });
    assert.equal(client.errors.length, 1);
    assert.match(client.errors[0] ?? "", /^Cannot get reply from /);
  }
  await Promise.all([pullAway("http"), pullAway("tcp")]);
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  const programs = ["server", "client", "start"].map((program) => ({
    program,
    child: startProgram(bin(program), ["--help"]),
  }));
  t.after(() => Promise.all(programs.map(({ child }) => child.stop("SIGKILL"))));
  for (const { program, child } of programs) {
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
    assert.ok(longest <= 80, `${program}: ${longest} columns`);
    assert.ok(child.output.some((line) => line.includes("--help")));
  }
});
