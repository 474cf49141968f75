import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "@ipc/core/testing";
import { connect, type Talk } from "../src/index.ts";
import { readScreen } from "./screen.ts";
import { bin, hearAll, serve } from "./support.ts";

const timeout = 30_000;
const hasPython = await promisify(execFile)("python3", ["-c", "import pty"]).then(
  () => true,
  () => false,
);

/** A program of ours with a person at a real terminal. */
function sit(t: TestContext, program: string, args: string[]) {
  const loader = import.meta.resolve("tsx");
  const pty = fileURLToPath(new URL("fixtures/pty.py", import.meta.url));
  const command = [process.execPath, "--import", loader, fileURLToPath(bin(program)), ...args];
  const child = spawn("python3", [pty, ...command], { stdio: ["pipe", "pipe", "inherit"] });
  let stream = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stream += text;
  });
  child.stdin.on("error", () => {});
  const exited = once(child, "close");
  // The terminal goes, and with it (SIGHUP) the program.
  t.after(() => child.kill("SIGKILL"));
  const screen = () => readScreen(stream);
  const shows = (...lines: string[]) => until(() => isWithin(lines, screen()) && screen());
  return {
    type: (keys: string) => child.stdin.write(keys),
    screen,
    /** Resolves when these lines stand on the screen, one below the other. */
    shows,
    /** How it ended, and the terminal after it. */
    async ended() {
      await exited;
      return screen()
        .filter((line) => line !== "")
        .at(-1);
    },
  };
}

function isWithin(lines: string[], screen: string[]): boolean {
  return screen.some((_, from) => lines.every((line, index) => screen[from + index] === line));
}

async function callWhenReady(terminal: ReturnType<typeof sit>): Promise<Talk> {
  const ready = await until(() => terminal.screen().find((line) => line.includes(" listening on ")));
  const talk = await connect(ready.split(" ").at(-1) ?? "");
  await until(() => terminal.screen().some((line) => line.endsWith(" connected")));
  return talk;
}

const DONE = "[exit 0, echo on, lines on]";

test("what is being typed stays below what comes meanwhile, escaped", { timeout }, async (t) => {
  if (!hasPython) return t.skip("needs python3");
  const terminal = sit(t, "server", ["--port", "0"]);
  const talk = await callWhenReady(terminal);
  const heard = hearAll(talk);
  terminal.type("half a li");
  await terminal.shows("> half a li");
  await talk.send("first");
  await talk.send("");
  await talk.send("\u001b[2J\u009b31m\u202e\u001b]0;title\u0007\ttab");
  await terminal.shows("< first", "<", "< \\x1b[2J\\x9b31m\\u202e\\x1b]0;title\\x07\\x09tab", "> half a li");
  terminal.type("ne\r\rbye\r");
  assert.deepEqual(await heard, ["half a line", ""]);
  assert.equal(talk.bye, "heard");
  assert.equal(await terminal.ended(), DONE);
  assert.ok(isWithin(["> half a line", ">", "> bye"], terminal.screen()), terminal.screen().join("\n"));
});

test("a line of several rows stays as it is, with the cursor anywhere in it", { timeout }, async (t) => {
  if (!hasPython) return t.skip("needs python3");
  const terminal = sit(t, "server", ["--port", "0"]);
  const talk = await callWhenReady(terminal);
  const heard = hearAll(talk);
  // Pasted: 78 characters behind the prompt reach the edge, 200 take three rows.
  for (const length of [78, 200]) {
    const typed = "0123456789".repeat(20).slice(0, length);
    const rows = [`> ${typed.slice(0, 78)}`, typed.slice(78, 158), typed.slice(158)].filter((row) => row !== "");
    terminal.type(typed);
    await terminal.shows(...rows);
    await talk.send(`one at ${length}`);
    await terminal.shows(`< one at ${length}`, ...rows);
    terminal.type("\u0001");
    await talk.send("two");
    await terminal.shows(`< one at ${length}`, "< two", ...rows);
    terminal.type("\u0005!");
    await talk.send("three");
    await until(() =>
      isWithin([`< one at ${length}`, "< two", "< three", `> ${typed.slice(0, 78)}`], terminal.screen()),
    );
    terminal.type("\r");
  }
  terminal.type("\u0004");
  assert.deepEqual(await heard, [`${"0123456789".repeat(20).slice(0, 78)}!`, `${"0123456789".repeat(20)}!`]);
  assert.equal(await terminal.ended(), DONE);
});

for (const [name, key] of [
  ["Ctrl-C", "\u0003"],
  ["Ctrl-D", "\u0004"],
] as const) {
  test(`${name} says bye on either side and gives the terminal back`, { timeout }, async (t) => {
    if (!hasPython) return t.skip("needs python3");
    const listener = sit(t, "server", ["--port", "0"]);
    const talk = await callWhenReady(listener);
    const heard = hearAll(talk);
    listener.type(key);
    assert.deepEqual(await heard, []);
    assert.equal(talk.bye, "heard");
    assert.equal(await listener.ended(), DONE);

    const { url, talks, told } = await serve(t);
    const caller = sit(t, "client", [url]);
    await until(() => talks[0]);
    await caller.shows(`connected to ${url}`, ">");
    caller.type("unfinished");
    await caller.shows("> unfinished");
    caller.type(name === "Ctrl-D" ? `\u0015${key}` : key);
    assert.equal((await told("closed")).bye, "heard");
    assert.equal(await caller.ended(), DONE);
  });
}

test("a listener without a caller: says that nobody is there, ends on bye and on Ctrl-C", { timeout }, async (t) => {
  if (!hasPython) return t.skip("needs python3");
  for (const keys of ["bye\r", "\u0003", "\u0004"]) {
    const terminal = sit(t, "server", ["--port", "0"]);
    await until(() => terminal.screen().some((line) => line.includes(" listening on ")));
    terminal.type("anybody?\r");
    await terminal.shows("nobody is there: not said", ">");
    terminal.type(keys);
    assert.equal(await terminal.ended(), DONE);
  }
});

test("a caller who leaves without bye leaves the line to the next; a listener who does ends with 1", {
  timeout,
}, async (t) => {
  if (!hasPython) return t.skip("needs python3");
  const listener = sit(t, "server", ["--port", "0"]);
  const first = await callWhenReady(listener);
  first.end();
  await until(() => listener.screen().some((line) => line.endsWith(" left without bye")));
  await first.close();
  const second = await callWhenReady(listener);
  await second.send("I am next");
  await listener.shows("< I am next", ">");
  await second.close();
  assert.equal(await listener.ended(), DONE);

  const { url } = await serve(t, { handler: async (talk) => talk.end() });
  const caller = sit(t, "client", [url]);
  await caller.shows(`${url} left without bye`);
  assert.equal(await caller.ended(), "[exit 1, echo on, lines on]");
});

test("3,000 pasted lines arrive, whole and in order, while as many come", { timeout }, async (t) => {
  if (!hasPython) return t.skip("needs python3");
  const terminal = sit(t, "server", ["--port", "0"]);
  const talk = await callWhenReady(terminal);
  const heard = hearAll(talk);
  const lines = Array.from({ length: 3_000 }, (_, number) => `pasted line ${number}`);
  terminal.type(`${lines.join("\r")}\r`);
  for (const line of lines) await talk.send(line);
  terminal.type("bye\r");
  assert.deepEqual(await heard, lines);
  assert.equal(await terminal.ended(), DONE);
  const shown = terminal.screen().filter((line) => line.startsWith("< "));
  assert.deepEqual(
    shown,
    lines.map((line) => `< ${line}`),
  );
});
