import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { promisify } from "node:util";
import { type Child, startProgram } from "@ipc/core/child";
import { until } from "@ipc/core/testing";
import { bin, dial, freeUrl, listen, receive, serve } from "./support.ts";

const timeout = 30_000;
const TOKEN = "correct-horse-battery";
const CLEAN = { code: 0, signal: null };

/** Takes more than ten seconds: runs beside the other tests. */
const lostMachine = startLostMachine();

function run(t: TestContext, program: string, args: string[] = []): Child {
  const child = startProgram(bin(program), args);
  t.after(() => child.stop("SIGKILL"));
  return child;
}

/** A listener and a caller, connected. */
async function talking(t: TestContext) {
  const server = run(t, "server", ["--port", "0"]);
  const url = await server.ready;
  const client = run(t, "client", [url]);
  await Promise.all([server, client].map((child) => child.waitForLine(/connected/)));
  return { server, client, url };
}

test("start shows what passed between two processes and ends with 0", { timeout }, async (t) => {
  const start = run(t, "start", ["--once"]);
  assert.deepEqual(await start.exited, CLEAN);
  assert.deepEqual(start.errors, []);
  const shown = start.output.map((line) => line.replace(/:\d+/g, ":PORT"));
  for (const [role, lines] of [
    [
      "server",
      ["tcp-talk listening on tcp://127.0.0.1:PORT", "127.0.0.1:PORT connected", "Good day.", ""].concat(
        "> Good day to you.",
        "127.0.0.1:PORT said bye",
      ),
    ],
    ["client", ["connected to tcp://127.0.0.1:PORT", "> Good day.", "> ", "Good day to you.", "> bye"]],
  ] as const) {
    const own = shown.filter((line) => line.startsWith(role));
    assert.deepEqual(
      own,
      lines.map((line) => `${role} │ ${line}`),
    );
  }
});

test("what is typed on one appears on the other at once, both ways, and an empty line is a line", {
  timeout,
}, async (t) => {
  const { server, client } = await talking(t);
  client.stdin.write("one\n\n");
  await server.waitForLine(/^$/);
  server.stdin.write("two\n");
  await client.waitForLine(/^two$/);
  server.stdin.write("three\n\nfour\n");
  await client.waitForLine(/^four$/);
  client.stdin.write("five\n");
  await server.waitForLine(/^five$/);
  assert.deepEqual(server.output.slice(1), ["one", "", "five"]);
  assert.deepEqual(client.output, ["two", "three", "", "four"]);
});

for (const who of ["server", "client"] as const) {
  test(`bye typed at the ${who} ends both with exit code 0`, { timeout }, async (t) => {
    const { server, client, url } = await talking(t);
    (who === "server" ? server : client).stdin.write("last words\nbye\n");
    assert.deepEqual(await Promise.all([server.exited, client.exited]), [CLEAN, CLEAN]);
    const [hears, log] = who === "server" ? [client.output, client.errors] : [server.output.slice(1), server.errors];
    assert.deepEqual(hears, ["last words"]);
    assert.match(
      log.join("\n"),
      who === "server" ? new RegExp(`^connected to ${url}\n${url} said bye$`) : / said bye$/,
    );
  });
}

test("SIGTERM and SIGINT say bye on either side", { timeout }, async (t) => {
  for (const [signal, who] of [
    ["SIGTERM", "server"],
    ["SIGINT", "client"],
  ] as const) {
    const { server, client } = await talking(t);
    void (who === "server" ? server : client).stop(signal);
    assert.deepEqual(await Promise.all([server.exited, client.exited]), [CLEAN, CLEAN], `${signal} to the ${who}`);
    assert.match((who === "server" ? client : server).errors.join("\n"), / said bye$/);
  }
});

test("a listener without a caller ends with 0 on SIGTERM and on SIGINT", { timeout }, async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const server = run(t, "server", ["--port", "0"]);
    assert.equal(await server.ready, server.output[0]?.replace("tcp-talk listening on ", ""));
    assert.deepEqual(await server.stop(signal), CLEAN);
    assert.deepEqual(server.errors, []);
  }
});

test("pipes that end say no more and still hear; the listener waits for the next caller", { timeout }, async (t) => {
  const { server, client, url } = await talking(t);
  client.stdin.end("question\nwithout a newline");
  await server.waitForLine(/^without a newline$/);
  await server.waitForLine(/ left without bye$/);
  server.stdin.write("answer\n");
  await client.waitForLine(/^answer$/);
  server.stdin.end("and more");
  assert.deepEqual(await client.exited, CLEAN);
  assert.deepEqual(client.output, ["answer", "and more"]);

  // Its own input has ended: it only listens.
  const next = run(t, "client", [url]);
  next.stdin.write("I am next\n");
  await server.waitForLine(/^I am next$/);
  next.stdin.write("bye\n");
  assert.deepEqual(await Promise.all([server.exited, next.exited]), [CLEAN, CLEAN]);
});

test("what is piped before anybody calls waits for the caller", { timeout }, async (t) => {
  const url = await freeUrl();
  const client = run(t, "client", [url]);
  client.stdin.end("early\nbye\n");
  await client.waitForLine(/^waiting for /);
  const server = run(t, "server", ["--port", new URL(url).port]);
  server.stdin.write("early as well\n");
  assert.deepEqual(await Promise.all([server.exited, client.exited]), [CLEAN, CLEAN]);
  assert.deepEqual(client.errors, [`waiting for ${url}`, `connected to ${url}`]);
  assert.deepEqual(server.output.slice(1), ["early"]);
});

test("20 MB are piped each way at the same time: every byte arrives", { timeout }, async (t) => {
  const server = run(t, "server", ["--port", "0"]);
  const url = await server.ready;
  const client = run(t, "client", [url]);
  const digests = [server, client].map((child, who) => {
    const digest = createHash("sha256");
    for (let sent = 0; sent < 20_000; sent++) {
      const line = `${who} ${sent} ${"x".repeat(sent % 2_000)}`;
      digest.update(`${line}\n`);
      child.stdin.write(`${line}\n`);
    }
    child.stdin.end();
    return digest.digest("hex");
  });
  assert.deepEqual(await client.exited, CLEAN);
  await server.waitForLine(/ closed$/);
  const heard = [client.output, server.output.slice(1)].map((lines) =>
    createHash("sha256")
      .update(`${lines.join("\n")}\n`)
      .digest("hex"),
  );
  assert.deepEqual(heard, digests);
});

test("a second caller: one line, exit code 1, the talk is not disturbed", { timeout }, async (t) => {
  const { server, client, url } = await talking(t);
  const second = run(t, "client", [url]);
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.deepEqual(second.output, ["busy"]);
  assert.deepEqual(second.errors, [
    `connected to ${url}`,
    `Cannot talk to ${url}: a talk is on there, try again later`,
  ]);
  await server.waitForLine(/ told "busy": a talk is on$/);
  client.stdin.write("still here\nbye\n");
  await server.waitForLine(/^still here$/);
  assert.deepEqual(await Promise.all([server.exited, client.exited]), [CLEAN, CLEAN]);
});

test("open to a network: the token lets in, nothing else does; --insecure warns", { timeout }, async (t) => {
  const open = ["--host", "0.0.0.0", "--port", "0"];
  const server = run(t, "server", [...open, "--token", TOKEN]);
  const url = (await server.ready).replace("0.0.0.0", "127.0.0.1");
  await server.waitForLine(/^from other machines: /);
  for (const args of [[], ["--token", TOKEN.toUpperCase()]]) {
    const stranger = run(t, "client", [url, ...args]);
    stranger.stdin.write("Good day\n");
    assert.deepEqual(await stranger.exited, { code: 1, signal: null });
    assert.deepEqual(stranger.output, ["wrong token"]);
    assert.deepEqual(stranger.errors.slice(1), [`Cannot talk to ${url}: it wants a token. Check --token`]);
  }
  await server.waitForLine(/ dropped: Cannot let caller in: wrong token$/);
  const client = run(t, "client", [url, "--token", TOKEN]);
  client.stdin.write("Good day\nbye\n");
  assert.deepEqual(await Promise.all([server.exited, client.exited]), [CLEAN, CLEAN]);
  assert.deepEqual(server.output.slice(2), ["Good day"]);

  const insecure = run(t, "server", [...open, "--insecure"]);
  await insecure.waitForLine(/^insecure: whoever reaches this machine may call$/);
  assert.deepEqual(await insecure.stop(), CLEAN);
});

test("what a terminal would obey is shown escaped, also into a pipe", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: (talk) => talk.send("\u001b[2Jgone?\u009b31m\u202e\u0007") });
  const client = run(t, "client", [url]);
  assert.deepEqual(await client.exited, CLEAN);
  assert.deepEqual(client.output, ["\\x1b[2Jgone?\\x9b31m\\u202e\\x07"]);
});

test("bytes that are no UTF-8 are shown as such, and told once", { timeout }, async (t) => {
  const server = run(t, "server", ["--port", "0"]);
  const socket = await dial(t, await server.ready);
  socket.end(Buffer.from([0x61, 0xff, 0x0a, 0xc3, 0xa9, 0x9b, 0x0a]));
  await server.waitForLine(/ left without bye$/);
  server.stdin.end();
  await receive(socket);
  await server.waitForLine(/ closed$/);
  assert.deepEqual(server.output.slice(1), ["a\\xff", "\\xc3\\xa9\\x9b"]);
  const log = server.errors.map((line) => line.replace(/^\S+ /, ""));
  assert.deepEqual(log, ["connected", "sends what is no UTF-8: shown as \\xff", "left without bye", "closed"]);
});

test("an HTTP request and a line without an end get an answer, one line in the log, and nothing else", {
  timeout,
}, async (t) => {
  const server = run(t, "server", ["--port", "0", "--max-frame-bytes", "1000"]);
  const url = await server.ready;
  const response = await fetch(url.replace("tcp:", "http:"), { method: "POST", body: "bye\n" });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /not HTTP/);
  await server.waitForLine(/ dropped: Cannot talk to \S+: it speaks HTTP$/);
  const socket = await dial(t, url);
  socket.write("a".repeat(70_000));
  assert.match(await receive(socket), /^Cannot read frame of \d+ bytes: limit is 1000\n$/);
  await server.waitForLine(/ dropped: Cannot read frame of \d+ bytes: limit is 1000$/);
  assert.equal(server.output.length, 1, server.output.join("\n"));
  assert.deepEqual(await server.stop(), CLEAN);
});

test("a line of our own above the limit: what was before it is said, one line, exit code 1", {
  timeout,
}, async (t) => {
  const { url, heard, told } = await serve(t);
  const client = run(t, "client", [url, "--max-frame-bytes", "10"]);
  client.stdin.write(`before\n${"a".repeat(11)}\nafter\n`);
  assert.deepEqual(await client.exited, { code: 1, signal: null });
  assert.deepEqual(client.errors.slice(1), ["Cannot read frame of 11 bytes: limit is 10. Raise --max-frame-bytes"]);
  assert.equal((await told("closed")).bye, "heard");
  assert.deepEqual(heard, ["before"]);
});

test("a listener that is killed while the client has more to say: one line, exit code 1", { timeout }, async (t) => {
  const { server, client, url } = await talking(t);
  await server.stop("SIGKILL");
  await client.waitForLine(/ left without bye$/);
  // The first of these lines finds out, one of the next is told.
  const talkOn = setInterval(() => client.stdin.write("anybody?\n"), 20);
  t.after(() => clearInterval(talkOn));
  assert.deepEqual(await client.exited, { code: 1, signal: null });
  const told = client.errors[2]?.replace(". Call again", "");
  assert.equal(told, `Cannot talk to ${url}: the connection was lost`);
  assert.equal(client.errors.length, 3);
});

test("the client gives up with one line and exit code 1", { timeout }, async (t) => {
  const url = await freeUrl();
  const client = run(t, "client", [url, "--wait-ms", "0"]);
  assert.deepEqual(await client.exited, { code: 1, signal: null });
  const advice = "Start the server first, or wait longer with --wait-ms";
  assert.deepEqual(client.errors, [`Cannot connect to ${url}: nobody listens there. ${advice}`]);
});

test("a web server that was called by mistake: one line, exit code 1", { timeout }, async (t) => {
  const url = await listen(t, (socket) => socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
  const client = run(t, "client", [url]);
  client.stdin.write("Good day\n");
  assert.deepEqual(await client.exited, { code: 1, signal: null });
  assert.deepEqual(client.errors, [`connected to ${url}`, `Cannot talk to ${url}: it speaks HTTP`]);
});

test("wrong flags and addresses get one line that says what to do, never a stack trace", {
  timeout,
}, async (t) => {
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["server", ["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    ["server", ["--port", "many"], /^Cannot use --port many: it takes a whole number from 0 to 65535\. Try --help$/],
    ["server", ["--keep-alive-ms", "10"], /^Cannot use keepAliveMs: current value is 10, the least is 1000$/],
    [
      "server",
      ["--host", "203.0.113.1", "--port", "0", "--insecure"],
      /^Cannot listen on .+: it is no address of this machine\. Try/,
    ],
    ["server", ["--token", "short"], /^Cannot use token: it takes 16 to 256 printable ASCII characters, no blank$/],
    [
      "server",
      ["--host", "0.0.0.0", "--port", "0"],
      /^Cannot listen on 0\.0\.0\.0 without a token: anybody .+ could call\. Name one with --token, or let/,
    ],
    ["client", ["--token", "two words, no token"], /^Cannot use token: /],
    ["client", ["5000"], /^Cannot use address '5000': it is no URL such as tcp:\/\/127\.0\.0\.1:1234$/],
    ["client", ["http://127.0.0.1:5000"], /^Cannot use address 'http:.+': it is no URL such as tcp:\/\//],
    ["client", ["tcp://127.0.0.1:1", "more"], /^Cannot use argument 'more'\. Try --help$/],
  ];
  await Promise.all(
    cases.map(async ([program, args, line]) => {
      const child = run(t, program, args);
      assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
      assert.equal(child.errors.length, 1, child.errors.join("\n"));
      assert.match(child.errors[0] ?? "", line);
    }),
  );
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  for (const program of ["server", "client", "start"]) {
    const child = run(t, program, ["--help"]);
    assert.deepEqual(await child.exited, CLEAN);
    const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
    assert.ok(longest <= 80, `${program}: ${longest} columns`);
    assert.ok(child.output.some((line) => line.includes("--help")));
  }
});

for (const who of ["nc", "server"] as const) {
  test(`nc is a peer, and bye typed at the ${who} ends both`, { timeout }, async (t) => {
    const version = await promisify(execFile)("nc", ["-h"]).catch((error: Error & { stderr?: string }) => error.stderr);
    if (version === undefined) return t.skip("needs nc");
    const server = run(t, "server", ["--port", "0"]);
    const { hostname, port } = new URL(await server.ready);
    const nc = spawn("nc", [hostname, port], { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => nc.kill("SIGKILL"));
    const heard = collect(nc);
    nc.stdin.write("from nc\n\nonce more\n");
    await server.waitForLine(/^once more$/);
    server.stdin.write("from the server\n\n");
    await until(() => heard.text === "from the server\n\n");
    const exited = once(nc, "close");
    if (who === "nc") nc.stdin.end("bye\n");
    else server.stdin.write("bye\n");
    assert.deepEqual(await server.exited, CLEAN);
    nc.stdin.end();
    await exited;
    assert.deepEqual(server.output.slice(1), ["from nc", "", "once more"]);
    assert.equal(heard.text, `from the server\n\n${who === "nc" ? "" : "bye\n"}`);
  });
}

test("a machine that is gone is noticed after keepAliveMs and 10 s", { timeout }, async (t) => {
  const machine = await lostMachine;
  if (!machine) return t.skip("not allowed: a network of its own to cut (unshare, ip)");
  t.after(() => machine.stop("SIGKILL"));
  const line = await machine.waitForLine(/^noticed/);
  const [, seconds] = /after (\d+) s: Cannot talk to .+: nothing comes back from that machine$/.exec(line) ?? [];
  assert.ok(Number(seconds) >= 10 && Number(seconds) <= 14, line);
  t.diagnostic(`noticed after ${seconds} s at keepAliveMs 1000`);
});

function collect(child: ChildProcess): { text: string } {
  const heard = { text: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    heard.text += text;
  });
  return heard;
}

/** A process with a network of its own, which it takes away; undefined where that is not possible. */
async function startLostMachine() {
  const under = ["unshare", "--net", "--map-root-user", "sh", "-c", 'ip link set lo up && exec "$0" "$@"'];
  const [command = "", ...args] = under;
  const canUnshare = await promisify(execFile)(command, [...args, "true"]).catch(() => undefined);
  if (!canUnshare) return undefined;
  return startProgram(new URL("fixtures/cut-network.ts", import.meta.url), [], { under });
}
