import assert from "node:assert/strict";
import test from "node:test";
import { until } from "@ipc/core/testing";
import { BUSY, connect, escapeLine, startServer } from "../src/index.ts";
import { parseLine } from "../src/protocol.ts";
import { dial, freeUrl, hearAll, listen, pair, receive, serve } from "./support.ts";

const timeout = 20_000;
const TOKEN = "correct-horse-battery";

test("both sides talk at any time, there are no turns", { timeout }, async (t) => {
  const { caller, listener } = await pair(t);
  for (const line of ["1", "2", "3"]) {
    await caller.send(`caller ${line}`);
    await listener.send(`listener ${line}`);
  }
  const heard = Promise.all([hearAll(caller), hearAll(listener)]);
  await caller.close();
  assert.deepEqual(await heard, [
    ["listener 1", "listener 2", "listener 3"],
    ["caller 1", "caller 2", "caller 3"],
  ]);
});

test("an empty line is a line", { timeout }, async (t) => {
  const { caller, listener } = await pair(t);
  const heard = Promise.all([hearAll(caller), hearAll(listener)]);
  for (const talk of [caller, listener]) for (const line of ["", "", "after"]) await talk.send(line);
  await caller.send("bye");
  assert.deepEqual(await heard, [
    ["", "", "after"],
    ["", "", "after"],
  ]);
});

test("bye on either side ends both", { timeout }, async (t) => {
  for (const who of ["caller", "listener"] as const) {
    const { caller, listener, told } = await pair(t);
    const [says, hears] = who === "caller" ? [caller, listener] : [listener, caller];
    const ends = Promise.all([hearAll(says), hearAll(hears)]);
    await says.send("bye");
    assert.deepEqual(await ends, [[], []]);
    assert.deepEqual([says.bye, hears.bye], ["said", "heard"]);
    assert.deepEqual(await Promise.all([says.closed, hears.closed]), [undefined, undefined]);
    assert.equal((await told("closed")).bye, who === "caller" ? "heard" : "said");
  }
});

test("startServer() is not opened to a network without a token, unless insecure", { timeout }, async (t) => {
  await assert.rejects(serve(t, { host: "0.0.0.0" }), { code: "ERR_NO_TOKEN" });
  await assert.rejects(serve(t, { token: "short" }), RangeError);
  for (const options of [{ token: TOKEN }, { insecure: true }]) {
    const { url } = await serve(t, { host: "0.0.0.0", ...options });
    assert.match(url, /^tcp:\/\/0\.0\.0\.0:/);
  }
});

test("with a token: who shows it is let in, with all that is glued to it", { timeout }, async (t) => {
  for (const newline of ["\n", "\r\n"]) {
    const { url, heard, events, told } = await serve(t, { token: TOKEN });
    const socket = await dial(t, url);
    socket.end(`${TOKEN}\none\n\nbye\n`.replaceAll("\n", newline));
    assert.equal(await receive(socket), "");
    assert.equal((await told("closed")).bye, "heard");
    assert.deepEqual(heard, ["one", ""]);
    assert.equal(events.length, 2);
  }
});

test("with a token: who does not show it is told so, and hears and says nothing", { timeout }, async (t) => {
  const { url, heard, talks, told } = await serve(t, { token: TOKEN });
  for (const first of ["one\n", `${TOKEN}x\n`, "\n", "GET / HTTP/1.1\r\n\r\n", `${"x".repeat(100_000)}\n`]) {
    const socket = await dial(t, url);
    socket.write(`${first}${TOKEN}\n`);
    assert.equal(await receive(socket), "wrong token\n");
  }
  assert.match((await told("dropped")).error.message, /^Cannot let caller in: wrong token$/);
  const caller = await connect(url, { token: `${TOKEN}x` });
  await assert.rejects(hearAll(caller), { code: "ERR_WRONG_TOKEN" });
  assert.deepEqual([heard, talks], [[], []]);
});

test("with a token: a stranger neither holds the line nor learns whether a talk is on", { timeout }, async (t) => {
  const { url, server, heard, told } = await serve(t, { token: TOKEN });
  const silent = await dial(t, url);
  const caller = await connect(url, { token: TOKEN });
  await caller.send("here");
  await until(() => heard.length === 1);
  const stranger = await dial(t, url);
  stranger.write("what\n");
  assert.equal(await receive(stranger), "wrong token\n");
  const second = await connect(url, { token: TOKEN });
  await assert.rejects(hearAll(second), { code: "EBUSY" });
  await told("dropped");
  const ended = receive(silent);
  await Promise.all([server.close(), hearAll(caller)]);
  await ended;
});

test("both say bye at the same time", { timeout }, async (t) => {
  const { caller, listener } = await pair(t);
  const ends = Promise.all([hearAll(caller), hearAll(listener)]);
  await Promise.all([caller.send("bye"), listener.close()]);
  assert.deepEqual(await ends, [[], []]);
  assert.deepEqual([caller.bye, listener.bye], ["said", "said"]);
});

test("what the other side said before it heard the bye still comes", { timeout }, async (t) => {
  const { caller, listener } = await pair(t);
  const heard = hearAll(caller);
  const said = Array.from({ length: 5_000 }, (_, number) => `line ${number}`);
  for (const line of said) void listener.send(line);
  await Promise.all([caller.close(), hearAll(listener)]);
  assert.deepEqual(await heard, said);
});

test("bye is the word alone: 'bye bye' and ' bye' are lines, 'bye' with a carriage return is bye", {
  timeout,
}, async (t) => {
  const { url, heard, told } = await serve(t);
  const socket = await dial(t, url);
  socket.write("bye bye\n bye\nBye\nbye\r\n");
  assert.equal(await receive(socket), "");
  assert.equal((await told("closed")).bye, "heard");
  assert.deepEqual(heard, ["bye bye", " bye", "Bye"]);
});

test("send() refuses what is no line and what comes after the bye; the talk goes on", { timeout }, async (t) => {
  const { caller, listener } = await pair(t, { maxFrameBytes: 8 });
  const heard = hearAll(listener);
  await assert.rejects(caller.send("two\nlines"), { code: "ERR_FRAME_TOO_LARGE" });
  await assert.rejects(caller.send("a\nb"), { code: "ERR_FRAME_DELIMITER" });
  await caller.send("12345678");
  await caller.close();
  await assert.rejects(caller.send("too late"), { code: "EPIPE", message: /the talk is over/ });
  assert.deepEqual(await heard, ["12345678"]);
});

test("a second caller is told busy and let go; the line is free after the talk", { timeout }, async (t) => {
  const { url, heard, told } = await serve(t);
  const first = await connect(url);
  await first.send("one");
  const second = await connect(url);
  const lines: string[] = [];
  await assert.rejects(
    async () => {
      for await (const line of second) lines.push(line);
    },
    { code: "EBUSY", message: `Cannot talk to ${url}: a talk is on there, try again later` },
  );
  assert.deepEqual(lines, [BUSY]);
  assert.equal(await second.closed, undefined);
  assert.match((await told("busy")).peer, /^127\.0\.0\.1:\d+$/);
  await first.send("two");
  await first.close();
  const third = await connect(url);
  await third.send("three");
  await third.close();
  assert.deepEqual(heard, ["one", "two", "three"]);
});

test("somebody may say 'busy'", { timeout }, async (t) => {
  const { caller, listener } = await pair(t);
  const heard = hearAll(caller);
  await listener.send("busy");
  await listener.send("with this");
  listener.end();
  assert.deepEqual(await heard, ["busy", "with this"]);
});

test("who ends without bye still hears, and holds the line until somebody else calls", { timeout }, async (t) => {
  const { url, talks, told, heard } = await serve(t, {
    async handler(talk) {
      talks.push(talk);
      for await (const line of talk) heard.push(line);
      await talk.closed;
    },
  });
  const first = await connect(url);
  const answers = hearAll(first);
  await first.send("last words");
  first.end();
  await told("left");
  assert.equal(talks[0]?.hasLeft, true);
  await talks[0]?.send("an answer");

  const second = await connect(url);
  assert.deepEqual(await answers, ["an answer"]);
  await second.send("hello");
  await second.close();
  assert.deepEqual(heard, ["last words", "hello"]);
});

test("a last line without a newline is a line, also when it is bye", { timeout }, async (t) => {
  for (const [last, bye] of [
    ["no newline", undefined],
    ["bye", "heard"],
  ] as const) {
    const { url, heard, told } = await serve(t);
    const socket = await dial(t, url);
    socket.end(`first\n${last}`);
    await receive(socket);
    assert.equal((await told("closed")).bye, bye);
    assert.deepEqual(heard, bye ? ["first"] : ["first", last]);
  }
});

test("parseLine() keeps all that is UTF-8 and writes out what is not", () => {
  const good = [
    "",
    "plain",
    "é — 漢 🙂",
    "\u0000\t\u001b[2J",
    "\ufffd",
    "\ufeffmark",
    "\u07ff\u0800\uffff\u{10000}\u{10ffff}",
  ];
  for (const text of good) assert.equal(parseLine(Buffer.from(text)), text);
  assert.equal(parseLine(Buffer.from("telnet\r")), "telnet");
  const bad: [bytes: number[], text: string][] = [
    [[0x61, 0xff, 0x62], "a\\xffb"],
    [[0xc3, 0xa9, 0x9b, 0xc3], "\\xc3\\xa9\\x9b\\xc3"],
    // Overlong, surrogate, above U+10FFFF, cut off.
    [[0xc0, 0x80], "\\xc0\\x80"],
    [[0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"],
    [[0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"],
    [[0xe6, 0xbc], "\\xe6\\xbc"],
  ];
  for (const [bytes, text] of bad) assert.equal(parseLine(Uint8Array.from(bytes)), text);
});

test("escapeLine() leaves nothing that a terminal would obey, and cuts nothing", () => {
  const codes = [...Array(0x20).keys(), ...Array.from({ length: 0x21 }, (_, index) => 0x7f + index)];
  codes.push(0x200e, 0x200f, 0x061c, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069);
  for (const code of codes) {
    const shown = escapeLine(`a${String.fromCodePoint(code)}b`);
    assert.match(shown, /^a\\(x[\da-f]{2}|u[\da-f]{4})b$/, `U+${code.toString(16)}`);
  }
  assert.equal(escapeLine("\u001b]0;title\u0007"), "\\x1b]0;title\\x07");
  assert.equal(escapeLine("\u009b31m"), "\\x9b31m");
  const long = "é".repeat(100_000);
  assert.equal(escapeLine(long), long);
});

test("a web server that was called by mistake is told by its first line", { timeout }, async (t) => {
  const url = await listen(t, (socket) => socket.resume().end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
  const talk = await connect(url);
  await talk.send("Good day");
  await assert.rejects(hearAll(talk), { code: "EPROTO", message: `Cannot talk to ${url}: it speaks HTTP` });
  assert.equal(await talk.closed, undefined);
});

test("close() says bye once and ends within graceMs also when the other side does not", { timeout }, async (t) => {
  const url = await listen(t, (socket) => socket.pause());
  const talk = await connect(url, { graceMs: 200 });
  const from = performance.now();
  await Promise.all([talk.close(), talk.close(), talk[Symbol.asyncDispose]()]);
  const tookMs = performance.now() - from;
  assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
  assert.equal(talk.bye, "said");
});

test("a loop that is left early loses nothing: the next goes on where it was", { timeout }, async (t) => {
  const { caller, listener } = await pair(t);
  for (const line of ["one", "two", "three"]) await listener.send(line);
  for await (const line of caller) {
    assert.equal(line, "one");
    break;
  }
  await caller.send("still here");
  assert.deepEqual(await Promise.all([hearAll(caller), hearAll(listener), listener.close()]), [
    ["two", "three"],
    ["still here"],
    undefined,
  ]);
});

test("who says bye without hearing throws away what comes, and the other side gets all", { timeout }, async (t) => {
  const { caller, listener } = await pair(t);
  for (const line of ["one", "two", "three"]) await listener.send(line);
  const heard = hearAll(listener);
  for await (const _ of caller) break;
  await caller.send("last words");
  await caller.close();
  assert.deepEqual(await heard, ["last words"]);
  assert.equal(listener.bye, "heard");
});

test("a handler that throws lets the caller go and leaves the line free", { timeout }, async (t) => {
  const { url, told } = await serve(t, { handler: () => Promise.reject(new Error("no mood")) });
  for (let call = 0; call < 2; call++) {
    const talk = await connect(url);
    assert.deepEqual(await hearAll(talk), []);
    await talk.close();
  }
  assert.equal((await told("dropped")).error.message, "no mood");
});

test("a handler that returns says bye", { timeout }, async (t) => {
  const { url } = await serve(t, { handler: (talk) => talk.send("only this") });
  const talk = await connect(url);
  assert.deepEqual(await hearAll(talk), ["only this"]);
  assert.equal(talk.bye, "heard");
});

test("many who call at the same time: one talk, the others are busy, none hangs", { timeout }, async (t) => {
  const { url, heard } = await serve(t);
  const callers = await Promise.all(Array.from({ length: 50 }, () => connect(url)));
  const ends = await Promise.allSettled(
    callers.map(async (talk, number) => {
      await talk.send(`caller ${number}`);
      talk.end();
      return await hearAll(talk);
    }),
  );
  await Promise.all(callers.map((talk) => talk.closed));
  const busy = ends.filter((end) => end.status === "rejected" && end.reason.code === "EBUSY").length;
  assert.equal(busy + heard.length, callers.length);
  assert.ok(heard.length >= 1);
});

test("options that make no sense are refused", { timeout }, async () => {
  const handler = async () => {};
  const wrong = [{ maxFrameBytes: 3 }, { keepAliveMs: 999 }, { stallTimeoutMs: -1 }, { graceMs: Number.NaN }];
  for (const options of wrong) {
    await assert.rejects(startServer({ ...options, handler }), RangeError, JSON.stringify(options));
    await assert.rejects(connect("tcp://127.0.0.1:1", { ...options, waitMs: 0 }), RangeError, JSON.stringify(options));
  }
  await assert.rejects(startServer({ host: "", insecure: true, handler }), TypeError);
  await assert.rejects(connect("127.0.0.1:5000"), { code: "ERR_INVALID_URL" });
});

test("connect() gives up after waitMs, and at once when it is told to", { timeout }, async () => {
  const url = await freeUrl();
  await assert.rejects(connect(url, { waitMs: 50 }), { code: "ECONNREFUSED" });
  const controller = new AbortController();
  const waiting = connect(url, { signal: controller.signal, onEvent: () => controller.abort(new Error("enough")) });
  await assert.rejects(waiting, { message: "enough" });
});

test("startServer() rejects when the port is taken", { timeout }, async (t) => {
  const { url } = await serve(t);
  await assert.rejects(startServer({ port: Number(new URL(url).port), handler: async () => {} }), {
    code: "EADDRINUSE",
  });
});

test("close() of a server says bye to its caller and is done when the talk is", { timeout }, async (t) => {
  const { server, url, talks } = await serve(t);
  const talk = await connect(url);
  const heard = hearAll(talk);
  await until(() => talks.length === 1);
  await Promise.all([server.close(), server.close()]);
  assert.deepEqual(await heard, []);
  assert.equal(talk.bye, "heard");
  await assert.rejects(connect(url, { waitMs: 0 }), { code: "ECONNREFUSED" });
});

test("a listener of events that throws is warned of, and breaks nothing", { timeout }, async (t) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error) => warnings.push(warning.message);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const onEvent = () => {
    throw new Error("Cannot write to the log");
  };
  const server = await startServer({ handler: (talk) => talk.send("all the same"), onEvent });
  t.after(() => server.close());
  const talk = await connect(server.url, { onEvent });
  assert.deepEqual(await hearAll(talk), ["all the same"]);
  await until(() => warnings.includes("Cannot write to the log"));
});
