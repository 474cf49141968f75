/**
 * Brings the programs that examples cannot do without (`"ipc": { "needs": { … } }` in their package.json), as far as
 * this machine lets it.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, rmSync } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { say } from "@ipc/core/terminal";
import { listPackages, type Need, repositoryRoot } from "./examples.ts";

/** The machine as `bringNeeds` sees it. */
export interface Machine {
  /** Folders with programs, as in `PATH`. */
  path: string;
  platform: NodeJS.Platform;
  isRoot: boolean;
  /** Whether there is somebody to ask. */
  isTerminal: boolean;
  /** The variable `IPC_INSTALL`: `0` never installs, `1` does not ask. */
  install: string | undefined;
  /** The file by which Debian keeps services from being started on installation. */
  policyFile: string;
  ask(question: string): Promise<boolean>;
  print(line: string): void;
}

/** A program that is not there. */
interface Missing {
  binary: string;
  need: Need;
  /** The packages that want it. */
  wantedBy: string[];
}

/**
 * Looks which programs are missing and installs them with apt-get where that can be done (Debian or Ubuntu, as root);
 * elsewhere it prints the one command that would bring them. Never throws for what cannot be brought: tests skip, by
 * name, what they cannot run.
 *
 * @param names Packages to look at. @default {all}
 */
export async function bringNeeds(
  names: readonly string[] = [],
  { root = repositoryRoot, ...given }: Partial<Machine> & { root?: string } = {},
): Promise<void> {
  const machine = { ...thisMachine(), ...given };
  const missing = await findMissing(root, names, machine.path);
  if (missing.length === 0) return;

  for (const { binary, wantedBy } of missing) machine.print(`Missing: ${binary} (${wantedBy.join(", ")})`);
  const packages = missing.flatMap(({ need }) => need.apt ?? []);
  const canInstall = machine.isRoot && packages.length > 0 && (await findBinary("apt-get", machine.path)) !== undefined;
  const question = `Install ${packages.join(" ")} with apt-get?`;
  if (!canInstall || machine.install === "0" || (mustAsk(machine) && !(await machine.ask(question)))) {
    return adviseOn(missing, machine);
  }

  machine.print(`Installing ${packages.join(" ")} with apt-get (IPC_INSTALL=0 goes on without)`);
  await installWithApt(packages, machine);
  const left = await findMissing(root, names, machine.path);
  if (left.length > 0) adviseOn(left, machine);
}

function mustAsk({ isTerminal, install }: Machine): boolean {
  return isTerminal && install !== "1";
}

function thisMachine(): Machine {
  return {
    // Daemons are in sbin, which is not on everybody's PATH.
    path: [process.env["PATH"] ?? "", "/usr/local/sbin", "/usr/sbin", "/sbin"].join(delimiter),
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    isTerminal: process.stdin.isTTY && process.stdout.isTTY,
    install: process.env["IPC_INSTALL"],
    policyFile: "/usr/sbin/policy-rc.d",
    ask: askOnTerminal,
    print: say,
  };
}

async function askOnTerminal(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${question} [Y/n] `);
  terminal.close();
  return !/^n/i.test(answer.trim());
}

async function findMissing(root: string, names: readonly string[], path: string): Promise<Missing[]> {
  const missing = new Map<string, Missing>();
  for (const { name, manifest } of await listPackages(root)) {
    if (names.length > 0 && !names.includes(name)) continue;
    for (const [binary, need] of Object.entries(manifest.needs)) {
      if (await isThere(binary, need, path)) continue;
      const wantedBy = [...(missing.get(binary)?.wantedBy ?? []), name];
      missing.set(binary, { binary, need, wantedBy });
    }
  }
  return [...missing.values()];
}

async function isThere(binary: string, { python }: Need, path: string): Promise<boolean> {
  if (python === undefined) return (await findBinary(binary, path)) !== undefined;
  // What apt-get brings belongs to the system's own Python, and others may be found first.
  const command = (await findBinary("python3", "/usr/bin")) ?? (await findBinary("python3", path));
  if (command === undefined) return false;
  const [code] = await once(spawn(command, ["-c", `import ${python}`], { stdio: "ignore" }), "close");
  return code === 0;
}

/**
 * Looks for a program.
 *
 * @param path Folders, as in the variable `PATH`.
 * @returns Its path, or `undefined` where there is none.
 */
export async function findBinary(name: string, path: string = thisMachine().path): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    const isExecutable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== "" && isExecutable) return file;
  }
  return undefined;
}

function adviseOn(missing: readonly Missing[], machine: Machine): void {
  const manager = machine.platform === "darwin" ? "brew" : "apt";
  const packages = missing.map(({ binary, need }) => need[manager] ?? binary).join(" ");
  const command =
    manager === "brew"
      ? `brew install ${packages}`
      : `${machine.isRoot ? "" : "sudo "}apt-get install -y --no-install-recommends ${packages}`;
  machine.print(`This brings what is missing: ${command}`);
}

async function installWithApt(packages: readonly string[], machine: Machine): Promise<void> {
  const allowServices = await denyServices(machine.policyFile);
  try {
    const areKnown = await runQuietly("apt-cache", ["show", ...packages], machine);
    if (!areKnown) await runQuietly("apt-get", ["update"], machine);
    const install = ["install", "-y", "--no-install-recommends", ...packages];
    if (await runQuietly("apt-get", install, machine)) return;
    // Lists of last month name files that are gone.
    const isFresh = areKnown && (await runQuietly("apt-get", ["update"], machine));
    if (isFresh && (await runQuietly("apt-get", install, machine))) return;
    machine.print(`Cannot install ${packages.join(" ")}: apt-get failed`);
  } finally {
    allowServices();
  }
}

/** Debian starts a service as it installs it; tests want private ones, and no broker on the machine's own port. */
async function denyServices(policyFile: string): Promise<() => void> {
  try {
    // "wx": one that is already there belongs to the machine's owner, and stays.
    await writeFile(policyFile, "#!/bin/sh\nexit 101\n", { flag: "wx", mode: 0o755 });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return () => {};
    throw error;
  }
  const remove = () => rmSync(policyFile, { force: true });
  const onSignal = () => process.exit(1);
  process.once("exit", remove);
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  return () => {
    remove();
    process.off("exit", remove).off("SIGINT", onSignal).off("SIGTERM", onSignal);
  };
}

/** Runs a program; what it printed is shown only when it failed. */
async function runQuietly(program: string, args: readonly string[], machine: Machine): Promise<boolean> {
  const child = spawn(program, args, {
    env: { ...process.env, PATH: machine.path, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    output += String(chunk);
  });
  const [code] = await once(child, "close");
  if (code !== 0 && program === "apt-get") machine.print(output.trimEnd());
  return code === 0;
}
