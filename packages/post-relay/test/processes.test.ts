import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import test from "node:test";
import { type Child, startProgram } from "@ipc/core/child";
import {
  bin,
  dial,
  EXAMPLE,
  freeUrl,
  portOf,
  postOnce,
  recordFile,
  SINK_TOKEN,
  serveHttp,
  serveRelay,
  serveSink,
  TOKEN,
} from "./support.ts";

const timeout = 60_000;

test("start shows what passed between three processes and ends with 0", { timeout }, async (t) => {
  const start = startProgram(bin("start"), ["--once"]);
  t.after(() => start.stop("SIGKILL"));
  assert.deepEqual(await start.exited, { code: 0, signal: null });
  assert.deepEqual(start.errors, []);
  const shown = start.output.map((line) =>
    line.replace(/:\d+$/g, ":PORT").replace(/"recorded":"[^"]+"/, '"recorded":TIME'),
  );
  assert.deepEqual(shown.sort(), [
    'client │ answered 200 {"recorded":TIME}',
    'client │ posting  {"one":1,"two":2}',
    "relay  │ connected to http://127.0.0.1:PORT",
    'relay  │ passed on {"one":1,"two":2}: 200',
    "relay  │ post-relay listening on http://127.0.0.1:PORT",
    "sink   │ post-relay sink listening on http://127.0.0.1:PORT",
    'sink   │ recorded {"one":1,"two":2}',
  ]);
});

test("start ends with all its processes on SIGTERM and on SIGINT", { timeout }, async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const start = startProgram(bin("start"));
    t.after(() => start.stop("SIGKILL"));
    await start.waitForLine(/relay .* listening/);
    const { code } = await start.stop(signal);
    assert.ok(code === 0, `${signal}: exit code ${code}, ${start.errors.join(" / ")}`);
  }
});

test("sink and relay print their ready lines first, and end with 0 on SIGTERM and on SIGINT", {
  timeout,
}, async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const sink = startProgram(bin("sink"), ["--port", "0", "--record", await recordFile(t)]);
    t.after(() => sink.stop("SIGKILL"));
    const relay = startProgram(bin("relay"), [await sink.ready, "--port", "0"]);
    t.after(() => relay.stop("SIGKILL"));
    const client = await dial(t, await relay.ready);
    assert.equal((await client.post(EXAMPLE)).status, 200);
    for (const program of [relay, sink]) {
      assert.match(program.output[0] ?? "", /^post-relay( sink)? listening on http:\/\/127\.0\.0\.1:\d+$/);
      assert.deepEqual(await program.stop(signal), { code: 0, signal: null });
      assert.deepEqual(program.errors, []);
    }
  }
});

test("the client takes a URL, a body, a key and a count, and escapes what a terminal would obey", {
  timeout,
}, async (t) => {
  const url = await serveHttp(t, (_body, response) => response.end('"\\u001b[2Jgone?"'));
  const args = [url, "--body", "[1, 2]", "--count", "2", "--key", "mine"];
  const client = startProgram(bin("client"), args);
  t.after(() => client.stop("SIGKILL"));
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  const answer = 'answered 200 "\\u001b[2Jgone?"';
  assert.deepEqual(client.output, ["posting  [1,2] (2 times)", answer, answer]);
});

test("the client may start first: it says once that it waits, then works", { timeout }, async (t) => {
  const url = await freeUrl();
  const client = startProgram(bin("client"), [url]);
  t.after(() => client.stop("SIGKILL"));
  await client.waitForLine(/waiting/);
  const sink = await serveSink(t);
  await serveRelay(t, sink.url, { port: portOf(url) });
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  assert.deepEqual(client.errors, [`waiting for ${url}`]);
  assert.match(client.output.at(-1) ?? "", /^answered 200/);
});

test("the client gives up with one line and exit code 1", { timeout }, async (t) => {
  const url = await freeUrl();
  const early = startProgram(bin("client"), [url, "--wait-ms", "0"]);
  t.after(() => early.stop("SIGKILL"));
  assert.deepEqual(await early.exited, { code: 1, signal: null });
  const advice = "Start the server first, or wait longer with --wait-ms";
  assert.deepEqual(early.errors, [`Cannot connect to ${url}: nobody listens there. ${advice}`]);

  const relay = await serveRelay(t, url, { timeoutMs: 500 });
  const late = startProgram(bin("client"), [relay.url, "--timeout-ms", "3000"]);
  t.after(() => late.stop("SIGKILL"));
  assert.deepEqual(await late.exited, { code: 1, signal: null });
  assert.equal(late.errors.length, 1, late.errors.join("\n"));
  assert.match(
    late.errors[0] ?? "",
    /^Cannot post to http:\S+: the sink refused the connection\. It does not have the post\. Wait longer with --timeout-ms$/,
  );

  const silent = await serveHttp(t, () => {});
  const unknown = startProgram(bin("client"), [silent, "--timeout-ms", "1000", "--key", "mine"]);
  t.after(() => unknown.stop("SIGKILL"));
  assert.deepEqual(await unknown.exited, { code: 1, signal: null });
  const text = `Cannot post to ${silent}: there was no answer within 1000 ms (its key: mine). Repeat it with that --key`;
  assert.equal(unknown.errors.at(-1), text);

  const sink = await serveSink(t);
  await postOnce(sink.url, "1", { "idempotency-key": "taken" });
  const refused = startProgram(bin("client"), [sink.url, "--key", "taken"]);
  t.after(() => refused.stop("SIGKILL"));
  assert.deepEqual(await refused.exited, { code: 1, signal: null });
  assert.deepEqual(refused.errors, [`Cannot post to ${sink.url}: this Idempotency-Key belongs to another body`]);
});

test("open to a network: the tokens let in, nothing else does; --insecure warns", { timeout }, async (t) => {
  const run = (program: string, ...args: string[]) => {
    const child = startProgram(bin(program), args);
    t.after(() => child.stop("SIGKILL"));
    return child;
  };
  const open = ["--host", "0.0.0.0", "--port", "0"];
  const near = async (child: Child) => (await child.ready).replace("0.0.0.0", "127.0.0.1");
  const sink = run("sink", ...open, "--token", SINK_TOKEN, "--record", await recordFile(t));
  const relay = run("relay", await near(sink), ...open, "--token", TOKEN, "--sink-token", SINK_TOKEN);
  const url = await near(relay);
  for (const child of [sink, relay]) await child.waitForLine(/^from other machines: /);
  for (const args of [[], ["--token", SINK_TOKEN]]) {
    const stranger = run("client", url, ...args);
    assert.deepEqual(await stranger.exited, { code: 1, signal: null });
    assert.deepEqual(stranger.errors, [`Cannot post to ${url}: it wants a token. Check --token`]);
  }
  await relay.waitForLine(/^refused: 401 the token is missing or wrong: /);
  const client = run("client", url, "--token", TOKEN);
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  assert.match(client.output.at(-1) ?? "", /^answered 200/);
  const printed = [sink, relay, client].flatMap(({ output, errors }) => [...output, ...errors]).join("\n");
  assert.doesNotMatch(printed, new RegExp(`${TOKEN}|${SINK_TOKEN}`));

  for (const args of [["sink", "--record", await recordFile(t)], ["relay"]] as const) {
    const [program, ...more] = args;
    const insecure = run(program, ...more, ...open, "--insecure");
    await insecure.waitForLine(/^insecure: whoever reaches this machine may post$/);
    assert.deepEqual(await insecure.stop(), { code: 0, signal: null });
  }
});

test("wrong flags, addresses and records get one line that says what to do, never a stack trace", {
  timeout,
}, async (t) => {
  const damaged = await recordFile(t);
  await writeFile(damaged, 'no post\n{"at":"2026-11-21T12:00:00.000Z","body":"1"}\n');
  const cases: [program: string, args: string[], line: RegExp][] = [
    ["relay", ["--prot", "1"], /^Unknown option '--prot'\. Try --help$/],
    [
      "relay",
      ["127.0.0.1:9901"],
      /^Cannot use address '127\.0\.0\.1:9901': it is no URL such as http:\/\/127\.0\.0\.1:1234$/,
    ],
    ["relay", ["--port", "many"], /^Cannot use --port many: it takes a whole number from 0 to 65535\. Try --help$/],
    [
      "relay",
      ["--host", "203.0.113.1", "--port", "0", "--insecure"],
      /^Cannot listen on .+: it is no address of this machine\. Try/,
    ],
    [
      "relay",
      ["--host", "0.0.0.0", "--port", "0"],
      /^Cannot listen on 0\.0\.0\.0 without a token: anybody .+ could call\. Name one with --token, or let/,
    ],
    [
      "sink",
      ["--host", "0.0.0.0", "--port", "0"],
      /^Cannot listen on 0\.0\.0\.0 without a token: anybody .+ could call\. Name one with --token, or let/,
    ],
    [
      "relay",
      ["--sink-token", "short", "--port", "0"],
      /^Cannot use token: it takes 16 to 256 printable ASCII characters, no blank$/,
    ],
    [
      "sink",
      ["--record", "/nowhere/posts.log", "--port", "0"],
      /^Cannot write \/nowhere\/posts\.log: ENOENT.+\. Choose another file with --record$/,
    ],
    [
      "sink",
      ["--record", damaged, "--port", "0"],
      /^Cannot read record .+: line 1 is no post, and posts follow it\. Repair that line, or take another file$/,
    ],
    ["client", ["9902"], /^Cannot use address '9902'/],
    ["client", ["--body", "{"], /^Cannot use --body \{: it is no JSON/],
  ];
  const children = cases.map(([program, args]) => startProgram(bin(program), args));
  t.after(() => Promise.all(children.map((child) => child.stop("SIGKILL"))));
  for (const [number, [, args, line]] of cases.entries()) {
    const child = children[number] as Child;
    assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
    assert.equal(child.errors.length, 1, child.errors.join("\n"));
    assert.match(child.errors[0] ?? "", line);
  }
});

test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
  const programs = ["sink", "relay", "client", "start"];
  const children = programs.map((program) => [program, startProgram(bin(program), ["--help"])] as const);
  t.after(() => Promise.all(children.map(([, child]) => child.stop("SIGKILL"))));
  for (const [program, child] of children) {
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
    assert.ok(longest <= 80, `${program}: ${longest} columns`);
    assert.ok(child.output.some((line) => line.includes("--help")));
  }
});
