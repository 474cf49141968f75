import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { startProgram } from "@ipc/core/child";
import { makeFolder } from "./fixture.ts";

const limit = { timeout: 60_000 };
const tour = new URL("../bin/tour.ts", import.meta.url);

const OK = `
  console.log("server │ ok listening on tcp://127.0.0.1:1");
  console.log("client │ \\u001b[32mHello\\u001b[39m, client !");
  console.log("args   │ " + process.argv.slice(2));`;

const FAILING = `console.error("Cannot listen: the port is taken"); process.exitCode = 1;`;

/** Starts a process that does not end by SIGTERM; both keep a connection to the test, which shows how long they live. */
const HANGING = `
  import { spawn } from "node:child_process";
  import { connect } from "node:net";
  const held = "import('node:net').then(({ connect }) => connect(Number(process.env.TEST_PORT), '127.0.0.1'))";
  const deaf = "process.on('SIGTERM', () => {});" + held;
  connect(Number(process.env.TEST_PORT), "127.0.0.1");
  spawn(process.execPath, ["-e", deaf], { stdio: "inherit" });
  spawn(process.execPath, ["-e", deaf], { stdio: "ignore", detached: true });`;

test("the tour runs an example with --once and shows what it prints", limit, async (t) => {
  const { output, exit } = await runTour(t, { alpha: OK }, []);
  assert.equal(exit.code, 0);
  assert.match(output, /^1\/1 alpha\nSays alpha\.\n\n {4}server │ ok listening on tcp:\/\/127\.0\.0\.1:1\n/);
  assert.match(output, /\n {4}args {3}│ --once\n\n {2}✓ \d+\.\d s\n/);
  assert.match(output, /\nalpha +✓ +\d+\.\d +npx pnpm --filter alpha start\n +packages\/alpha\/README\.md\n/);
  assert.match(output, /\n✓ 1 passed {2}\d+\.\d s$/);
});

test("the tour goes on after a failure and exits with 1", limit, async (t) => {
  const { output, exit } = await runTour(t, { alpha: OK, beta: FAILING, gamma: OK }, []);
  assert.equal(exit.code, 1);
  assert.match(output, /\n {4}Cannot listen: the port is taken\n\n {2}✗ \d+\.\d s {2}exit code 1\n/);
  assert.match(output, /\nbeta +✗ +\d+\.\d +exit code 1: Cannot listen: the port is taken\n/);
  assert.match(output, /\n✓ 2 passed {2}✗ 1 failed \(beta\) {2}/);
});

test("the tour runs only the examples that are named, in that order", limit, async (t) => {
  const { output } = await runTour(t, { alpha: OK, beta: OK, gamma: OK }, ["gamma", "alpha"]);
  assert.deepEqual(output.match(/^\d\/\d .*/gm), ["1/2 gamma", "2/2 alpha"]);
});

test("the tour ends an example that takes too long, with all that it started", limit, async (t) => {
  const lives = await watchLives(t);
  const { output, exit } = await runTour(t, { alpha: HANGING, beta: OK }, ["--timeout-ms", "4000"], lives.env);
  assert.equal(exit.code, 1);
  assert.match(output, /✗ \d+\.\d s {2}still running after 4 s\n/);
  assert.match(output, /✓ 1 passed {2}✗ 1 failed \(alpha\)/);
  await lives.allEnded();
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} ends the tour at once and leaves no process behind`, limit, async (t) => {
    const lives = await watchLives(t);
    const child = await startTour(t, { alpha: HANGING, beta: OK }, [], lives.env);
    await lives.allThere;
    const exit = await child.stop(signal);
    assert.equal(exit.code, 1);
    assert.deepEqual(child.errors, ["Interrupted"]);
    assert.doesNotMatch(child.output.join("\n"), /beta/);
    await lives.allEnded();
  });
}

test("a second SIGINT does not wait for an example that is deaf to the first", limit, async (t) => {
  const deaf = `process.on("SIGTERM", () => console.log("deaf")); ${HANGING}`;
  const lives = await watchLives(t);
  const child = await startTour(t, { alpha: deaf }, [], lives.env);
  await lives.allThere;
  process.kill(child.pid, "SIGINT");
  await child.waitForLine(/deaf/);
  assert.equal((await child.stop("SIGINT")).code, 130);
});

test("a missing program skips an example that fails, unless IPC_REQUIRE is all", limit, async (t) => {
  const needs = { alpha: { "no-such-program": {} } };
  const some = await runTour(t, { alpha: FAILING }, [], { IPC_INSTALL: "0", IPC_REQUIRE: "" }, needs);
  assert.equal(some.exit.code, 0);
  assert.match(some.output, /– \d+\.\d s {2}needs no-such-program, which is not here/);
  assert.match(some.output, /\n– 1 skipped \(alpha\)/);
  const all = await runTour(t, { alpha: FAILING }, [], { IPC_INSTALL: "0", IPC_REQUIRE: "all" }, needs);
  assert.equal(all.exit.code, 1);
  assert.match(all.output, /\n✗ 1 failed \(alpha\)/);
});

test("an example without a start script fails", limit, async (t) => {
  const root = await makeFolder(t, { "packages/alpha/package.json": `{ "name": "@ipc/alpha" }` });
  const child = startProgram(tour, ["--root", root]);
  assert.equal((await child.exited).code, 1);
  assert.match(child.output.join("\n"), /its start script does not begin with node/);
});

test("--list names the examples and runs none", limit, async (t) => {
  const { output, exit } = await runTour(t, { alpha: FAILING, "much-longer": FAILING }, ["--list"]);
  assert.equal(exit.code, 0);
  assert.equal(output, "alpha        Says alpha.\nmuch-longer  Says much-longer.");
});

test("an unknown name is one line that names the examples", limit, async (t) => {
  const { output, errors, exit } = await runTour(t, { alpha: OK, beta: OK }, ["alpha", "betta"]);
  assert.equal(exit.code, 1);
  assert.equal(output, "");
  assert.equal(errors, "Cannot run 'betta': the examples are alpha, beta");
});

test("what is piped has no escape codes and fits 80 columns", limit, async (t) => {
  const { output, errors } = await runTour(t, { "shared-memory": OK, beta: FAILING }, [], {
    FORCE_COLOR: "1",
  });
  assert.ok(!`${output}${errors}`.includes("\u001b"));
  assert.match(output, /client │ Hello, client !/);
  for (const line of output.split("\n")) assert.ok(line.length <= 80, line);
});

/** Runs the tour to its end through a repository whose examples have these start programs. */
async function runTour(
  t: TestContext,
  ...given: Parameters<typeof startTour> extends [unknown, ...infer R] ? R : never
) {
  const child = await startTour(t, ...given);
  const exit = await child.exited;
  return { exit, output: child.output.join("\n"), errors: child.errors.join("\n") };
}

async function startTour(
  t: TestContext,
  programs: Record<string, string>,
  args: string[],
  env: Record<string, string> = {},
  needs: Record<string, object> = {},
) {
  const files = Object.entries(programs).flatMap(([name, program]) => {
    const manifest = {
      name: `@ipc/${name}`,
      description: `Says ${name}.`,
      scripts: { start: "node bin/start.mjs" },
      ipc: { needs: needs[name] ?? {} },
    };
    return [
      [`packages/${name}/package.json`, JSON.stringify(manifest)],
      [`packages/${name}/bin/start.mjs`, program],
    ];
  });
  const root = await makeFolder(t, Object.fromEntries(files));
  const child = startProgram(tour, ["--root", root, ...args], { env });
  t.after(() => child.stop("SIGKILL"));
  return child;
}

/** Counts the three processes of `HANGING` by the connections that they hold: the kernel closes those of a dead one. */
async function watchLives(t: TestContext) {
  const sockets: Socket[] = [];
  const closed: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    // A killed process resets its connection; that it is gone is all we want to know.
    socket.on("error", () => {});
    closed.push(new Promise((resolve) => socket.once("close", resolve)));
    socket.resume();
    if (sockets.length === 3) server.emit("all");
  });
  const allThere = once(server, "all");
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return {
    env: { TEST_PORT: String(address.port) },
    allThere,
    async allEnded() {
      assert.equal(sockets.length, 3);
      await Promise.all(closed);
    },
  };
}
