import assert from "node:assert/strict";
import { chmod, readFile, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import test, { type TestContext } from "node:test";
import { bringNeeds, findBinary, type Machine } from "../src/needs.ts";
import { makeFolder, manifest } from "./fixture.ts";

const timeout = 30_000;

/** A machine with an apt-get of its own that writes down what it is called with. */
async function makeMachine(t: TestContext, aptGet: string, more: Partial<Machine> = {}, needs: object = NEEDS) {
  const root = await makeFolder(t, {
    "packages/a-way/package.json": manifest("a-way", { ipc: { needs } }),
    "packages/b-way/package.json": manifest("b-way"),
    "bin/apt-get": `#!/bin/sh\necho "apt-get $*" >> "$0.log"\n${aptGet}\n`,
    "bin/apt-cache": '#!/bin/sh\necho "apt-cache $*" >> "$(dirname "$0")/apt-get.log"\n',
    "bin/apt-get.log": "",
  });
  const bin = join(root, "bin");
  for (const name of ["apt-get", "apt-cache"]) await chmod(join(bin, name), 0o755);
  const lines: string[] = [];
  const machine = {
    root,
    path: [bin, "/usr/bin", "/bin"].join(delimiter),
    platform: "linux" as const,
    isRoot: true,
    isTerminal: false,
    install: undefined,
    policyFile: join(root, "policy-rc.d"),
    ask: () => Promise.reject(new Error("asked")),
    print: (line: string) => void lines.push(line),
    ...more,
  };
  const calls = async () => (await readFile(join(bin, "apt-get.log"), "utf8")).split("\n").filter(Boolean);
  return { machine, bin, lines, calls };
}

const NEEDS = {
  "ipc-nothing": { apt: "ipc-nothing-package", brew: "ipc-nothing-brew" },
  sh: { apt: "dash" },
};

/** Brings the program, and notes what the policy on services was at that time. */
const brings = [
  'bin="$(dirname "$0")"',
  'cat "$bin/../policy-rc.d" >> "$bin/apt-get.policy" || exit 1',
  'printf "#!/bin/sh" > "$bin/ipc-nothing" && chmod +x "$bin/ipc-nothing"',
].join("\n");

test("bringNeeds() installs what is missing, with services denied as long as that takes", {
  timeout,
}, async (t) => {
  const { machine, bin, lines, calls } = await makeMachine(t, brings);
  await bringNeeds([], machine);
  assert.deepEqual(await calls(), [
    "apt-cache show ipc-nothing-package",
    "apt-get install -y --no-install-recommends ipc-nothing-package",
  ]);
  assert.deepEqual(lines, [
    "Missing: ipc-nothing (a-way)",
    "Installing ipc-nothing-package with apt-get (IPC_INSTALL=0 goes on without)",
  ]);
  assert.match(await readFile(join(bin, "apt-get.policy"), "utf8"), /exit 101/);
  await assert.rejects(stat(machine.policyFile), { code: "ENOENT" });
  assert.equal(await findBinary("ipc-nothing", machine.path), join(bin, "ipc-nothing"));

  await bringNeeds([], machine);
  assert.equal((await calls()).length, 2, "nothing is missing any more");
});

test("bringNeeds() leaves a policy on services alone that was there before", { timeout }, async (t) => {
  const { machine } = await makeMachine(t, brings);
  machine.policyFile = join(machine.root, "packages/a-way/package.json");
  const before = await readFile(machine.policyFile, "utf8");
  await bringNeeds([], machine);
  assert.equal(await readFile(machine.policyFile, "utf8"), before);
});

test("bringNeeds() looks for a module of Python's by importing it", { timeout }, async (t) => {
  const needs = {
    "python3-json": { apt: "python3-json", python: "json" },
    "python3-nothing": { apt: "python3-nothing", python: "ipc_nothing" },
  };
  const { machine, lines } = await makeMachine(t, "exit 100", { install: "0" }, needs);
  if ((await findBinary("python3", machine.path)) === undefined) return t.skip("needs python3");
  await bringNeeds([], machine);
  assert.equal(lines[0], "Missing: python3-nothing (a-way)");
  assert.equal(lines.length, 2, "json comes with Python");
});

test("bringNeeds() looks only at the packages named", { timeout }, async (t) => {
  const { machine, lines } = await makeMachine(t, brings);
  await bringNeeds(["b-way"], machine);
  assert.deepEqual(lines, []);
});

test("bringNeeds() updates the lists once when apt-get fails, then goes on without", {
  timeout,
}, async (t) => {
  const { machine, lines, calls } = await makeMachine(t, "echo no network; exit 100");
  await bringNeeds([], machine);
  assert.deepEqual(
    (await calls()).map((call) => call.split(" ").slice(0, 2).join(" ")),
    ["apt-cache show", "apt-get install", "apt-get update"],
  );
  assert.ok(lines.includes("no network"));
  assert.ok(lines.includes("Cannot install ipc-nothing-package: apt-get failed"));
  await assert.rejects(stat(machine.policyFile), { code: "ENOENT" });
});

test("bringNeeds() asks on a terminal, and a no is a no", { timeout }, async (t) => {
  const questions: string[] = [];
  const ask = (question: string) => {
    questions.push(question);
    return Promise.resolve(false);
  };
  const { machine, lines, calls } = await makeMachine(t, brings, { isTerminal: true, ask });
  await bringNeeds([], machine);
  assert.deepEqual(questions, ["Install ipc-nothing-package with apt-get?"]);
  assert.deepEqual(await calls(), []);
  const advice = "This brings what is missing: apt-get install -y --no-install-recommends ipc-nothing-package";
  assert.equal(lines.at(-1), advice);
});

test("IPC_INSTALL=1 installs without asking, IPC_INSTALL=0 never installs", { timeout }, async (t) => {
  const never = await makeMachine(t, brings, { install: "0" });
  await bringNeeds([], never.machine);
  assert.deepEqual(await never.calls(), []);
  const always = await makeMachine(t, brings, { install: "1", isTerminal: true });
  await bringNeeds([], always.machine);
  assert.equal((await always.calls()).length, 2);
});

test("bringNeeds() only gives the command where it cannot install", { timeout }, async (t) => {
  const user = await makeMachine(t, brings, { isRoot: false });
  await bringNeeds([], user.machine);
  assert.match(user.lines.at(-1) ?? "", /: sudo apt-get install -y --no-install-recommends ipc-nothing-package$/);
  const mac = await makeMachine(t, brings, { isRoot: false, platform: "darwin" });
  await bringNeeds([], mac.machine);
  assert.equal(mac.lines.at(-1), "This brings what is missing: brew install ipc-nothing-brew");
  assert.deepEqual([...(await user.calls()), ...(await mac.calls())], []);
});
