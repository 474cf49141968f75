import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test as testAnywhere } from "node:test";
import { startProgram } from "../src/child.ts";
import { claimPath } from "../src/claim-path.ts";
import type { SocketServerEvent } from "../src/socket-server.ts";
import { connectUnix } from "../src/sockets.ts";
import { startUnixServer } from "../src/unix-server.ts";
import { received, until } from "./support.ts";

const timeout = 30_000;
const fixture = new URL("fixtures/unix-server.ts", import.meta.url);

/** Windows has named pipes instead: what is said of files does not hold there. */
function test(name: string, run: (t: TestContext) => Promise<void>) {
  testAnywhere(name, { timeout, skip: process.platform === "win32" && "Windows has no Unix sockets" }, run);
}

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ipc-unix-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function echo(socket: Socket): Promise<void> {
  for await (const chunk of socket) socket.write(chunk);
}

/** A server in this process, closed after the test. */
async function start(t: TestContext, url: string) {
  const events: SocketServerEvent[] = [];
  const server = await startUnixServer({ url, graceMs: 100, onEvent: (event) => events.push(event) }, echo);
  t.after(() => server.close());
  return { server, events };
}

async function exchange(t: TestContext, url: string): Promise<void> {
  const socket = await connectUnix(url, { waitMs: 0 });
  t.after(() => socket.destroy());
  socket.end("ping");
  assert.equal(await received(socket), "ping");
}

/** A socket whose owner was killed. */
async function leaveStale(t: TestContext, url: string): Promise<void> {
  const server = startProgram(fixture, [url]);
  t.after(() => server.stop("SIGKILL"));
  await server.ready;
  await server.stop("SIGKILL");
}

test("startUnixServer() serves, tells of connections by number, and removes its file when it closes", async (t) => {
  const folder = await makeFolder(t);
  const { server, events } = await start(t, `unix:${folder}/my%20own.sock`);
  assert.equal(server.url, `unix:${folder}/my%20own.sock`);
  assert.deepEqual(await readdir(folder), ["my own.sock"], "nothing else is left there");
  await exchange(t, server.url);
  await until(() => events.length === 2);
  assert.deepEqual(events, [
    { type: "connected", peer: "client 1" },
    { type: "closed", peer: "client 1" },
  ]);
  await server.close();
  assert.deepEqual(await readdir(folder), []);
});

test("the socket has mode 0600, whatever the umask", async (t) => {
  const folder = await makeFolder(t);
  const before = process.umask(0);
  t.after(() => process.umask(before));
  await start(t, `unix:${folder}/a.sock`);
  assert.equal((await stat(join(folder, "a.sock"))).mode & 0o777, 0o600);
});

test("another user cannot connect: EACCES, at once", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root, to be somebody else");
  const folder = await makeFolder(t);
  const { server } = await start(t, `unix:${folder}/a.sock`);
  const script = `require("net").connect(process.argv[1]).on("error", (error) => console.log(error.code))`;
  // The folder itself would be enough; here it is the file that counts.
  spawnSync("chmod", ["755", folder]);
  const args = ["-e", script, server.url.slice("unix:".length)];
  const node = join(folder, "node");
  await copyFile(process.execPath, node);
  const { stdout } = spawnSync(node, args, { uid: 65_534, gid: 65_534, encoding: "utf8", cwd: "/" });
  assert.equal(stdout, "EACCES\n");
});

test("a server that listens is not displaced: EADDRINUSE", async (t) => {
  const folder = await makeFolder(t);
  const { server } = await start(t, `unix:${folder}/a.sock`);
  await assert.rejects(startUnixServer({ url: server.url }, echo), {
    code: "EADDRINUSE",
    message: `Cannot listen on ${server.url}: somebody listens there already`,
  });
  await exchange(t, server.url);
  assert.deepEqual(await readdir(folder), ["a.sock"]);
});

test("a server that is stopped (SIGSTOP) is alive: not displaced either", async (t) => {
  const folder = await makeFolder(t);
  const stopped = startProgram(fixture, [`unix:${folder}/a.sock`]);
  t.after(() => stopped.stop("SIGKILL"));
  const url = await stopped.ready;
  process.kill(stopped.pid, "SIGSTOP");
  await assert.rejects(startUnixServer({ url }, echo), { code: "EADDRINUSE" });
  process.kill(stopped.pid, "SIGCONT");
  await exchange(t, url);
});

test("the file of a server that was killed is replaced", async (t) => {
  const folder = await makeFolder(t);
  const url = `unix:${folder}/a.sock`;
  await leaveStale(t, url);
  assert.deepEqual(await readdir(folder), ["a.sock"]);
  await start(t, url);
  await exchange(t, url);
  assert.deepEqual(await readdir(folder), ["a.sock"]);
});

test("a lock whose holder was killed is removed like any other dead file", async (t) => {
  const folder = await makeFolder(t);
  for (const name of ["a.sock", "a.sock~", "a.sock~~"]) await leaveStale(t, `unix:${folder}/${name}`);
  await start(t, `unix:${folder}/a.sock`);
  await exchange(t, `unix:${folder}/a.sock`);
  assert.deepEqual(await readdir(folder), ["a.sock"]);
});

test("eight starters at once, with and without a dead file: exactly one wins, 20 times each", async (t) => {
  const folder = await makeFolder(t);
  for (let round = 0; round < 40; round++) {
    const url = `unix:${folder}/${round}.sock`;
    if (round % 2) await makeDead(join(folder, `${round}.sock`));
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => startUnixServer({ url }, echo)));
    const winners = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason.code] : []));
    assert.deepEqual([winners.length, errors], [1, Array(7).fill("EADDRINUSE")], `round ${round}`);
    await exchange(t, url);
    await winners[0]?.close();
    assert.deepEqual(await readdir(folder), [], `round ${round}`);
  }
});

test("four processes start at once on a dead file: one wins, and is never displaced", async (t) => {
  const folder = await makeFolder(t);
  const url = `unix:${folder}/a.sock`;
  await leaveStale(t, url);
  const programs = Array.from({ length: 4 }, () => startProgram(fixture, [url]));
  for (const program of programs) t.after(() => program.stop("SIGKILL"));
  const ready = await Promise.allSettled(programs.map((program) => program.ready));
  const winners = programs.filter((_, index) => ready[index]?.status === "fulfilled");
  assert.equal(winners.length, 1);
  await exchange(t, url);
  for (const program of programs.filter((one) => !winners.includes(one))) {
    assert.deepEqual(await program.exited, { code: 1, signal: null });
    assert.match(program.errors.join("\n"), /^Cannot listen on .+: somebody listens there already/);
  }
  assert.deepEqual(await winners[0]?.stop(), { code: 0, signal: null });
  assert.deepEqual(await readdir(folder), []);
});

test("what is no socket is never removed: a file, a folder, a link", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "file"), "precious");
  await symlink(join(folder, "file"), join(folder, "link"));
  for (const name of ["file", "link"]) {
    const path = join(folder, name);
    await assert.rejects(startUnixServer({ url: `unix:${path}` }, echo), {
      code: "ENOTSOCK",
      message: `Cannot listen on unix:${path}: ${path} is no socket, and is left as it is`,
    });
  }
  await assert.rejects(startUnixServer({ url: `unix:${folder}` }, echo), { code: "ENOTSOCK" });
  assert.equal(await readFile(join(folder, "file"), "utf8"), "precious");
  assert.deepEqual(await readdir(folder), ["file", "link"]);
});

test("close() leaves a file that is not its own", async (t) => {
  const folder = await makeFolder(t);
  const { server } = await start(t, `unix:${folder}/a.sock`);
  await rm(join(folder, "a.sock"));
  const second = await start(t, server.url);
  await server.close();
  await exchange(t, second.server.url);
});

test("close() gives the address up at once: another may listen while it drains", async (t) => {
  const folder = await makeFolder(t);
  const url = `unix:${folder}/a.sock`;
  const first = await startUnixServer({ url, graceMs: 10_000 }, echo);
  const busy = await connectUnix(url);
  t.after(() => busy.destroy());
  busy.write("one");
  await once(busy, "data");
  const closing = first.close();
  const second = await start(t, url);
  await exchange(t, second.server.url);
  busy.end("two");
  assert.equal(await received(busy), "two");
  await closing;
  await exchange(t, second.server.url);
});

const mistakes: [what: string, path: (folder: string) => string, code: string, text: RegExp][] = [
  ["no such folder", (folder) => `${folder}/none/a.sock`, "ENOENT", /: there is no such folder$/],
  ["a folder that is a file", (folder) => `${folder}/file/a.sock`, "ENOTDIR", /: its folder is a file$/],
  ["a path that is too long", () => `/tmp/${"a".repeat(94)}`, "ENAMETOOLONG", /^Cannot use path of 99 bytes .+ 9[48]$/],
  ["no path", () => "", "ERR_INVALID_URL", /^Cannot use address 'unix:'/],
];
for (const [what, path, code, message] of mistakes) {
  test(`startUnixServer() refuses ${what}: ${code}`, async (t) => {
    const folder = await makeFolder(t);
    await writeFile(join(folder, "file"), "");
    await assert.rejects(startUnixServer({ url: `unix:${path(folder)}` }, echo), { code, message });
    assert.deepEqual(await readdir(folder), ["file"]);
  });
}

test("the longest path works, for the server and its clients", async (t) => {
  const folder = await makeFolder(t);
  const most = (process.platform === "linux" ? 107 : 103) - 9;
  const url = `unix:${folder}/${"a".repeat(most - folder.length - 1)}`;
  await start(t, url);
  await exchange(t, url);
});

test("connectUnix() waits for a server that comes late, and says once that it waits", async (t) => {
  const url = `unix:${await makeFolder(t)}/a.sock`;
  const waits: string[] = [];
  const socket = await connectUnix(url, {
    onWaiting: ({ message }) => {
      waits.push(message);
      setTimeout(() => void start(t, url), 300);
    },
  });
  socket.destroy();
  assert.deepEqual(waits, [`Cannot connect to ${url}: there is no such socket`]);
});

test("connectUnix() to a dead file: ECONNREFUSED; to what is no socket: ENOTSOCK at once", async (t) => {
  const folder = await makeFolder(t);
  await makeDead(join(folder, "dead"));
  await writeFile(join(folder, "file"), "");
  const url = `unix:${folder}/dead`;
  const message = `Cannot connect to ${url}: nobody listens there`;
  await assert.rejects(connectUnix(url, { waitMs: 0 }), { code: "ECONNREFUSED", message });
  await assert.rejects(connectUnix(`unix:${folder}/file`), {
    code: "ENOTSOCK",
    message: `Cannot connect to unix:${folder}/file: it is no socket`,
  });
});

test("claimPath() waits while somebody holds the lock, then finds the path taken", async (t) => {
  const folder = await makeFolder(t);
  const [own, path] = [join(folder, "own"), join(folder, "path")];
  for (const file of [own, path, `${path}~`]) await writeFile(file, file);
  const seen: string[] = [];
  const isOurs = await claimPath(own, path, (file) => {
    seen.push(file.slice(folder.length + 1));
    return Promise.resolve(file.endsWith("~") || seen.length > 4 ? "alive" : "dead");
  });
  assert.equal(isOurs, false);
  assert.deepEqual(seen, ["path", "path~", "path", "path~", "path"]);
  assert.equal(await readFile(path, "utf8"), path);
});

/** A socket file that nobody listens on: what a kill leaves, without a process to kill. */
async function makeDead(path: string): Promise<void> {
  const server = createServer().listen(`${path}.live`);
  await once(server, "listening");
  spawnSync("ln", [`${path}.live`, path]);
  server.close();
  await once(server, "close");
}
