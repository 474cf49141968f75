/**
 * Runs the ```` ```console ```` blocks of a README and compares what they print.
 *
 * @module
 */
import { AssertionError } from "node:assert";
import { type RunningCommand, startCommand } from "./commands.ts";
import type { Block } from "./markdown-blocks.ts";
import { maskLine, matchesTranscript } from "./transcript.ts";

/** A command and what it prints. */
export interface Command {
  text: string;
  expected: string[];
}

/**
 * Reads the commands of a console block: a line that starts with `$ ` is one, the lines after it are what it prints. A
 * command goes on in the next line where it ends with `\`, and up to the word of a here-document (`<<'EOF'`). A comment
 * at its end is dropped.
 *
 * @throws {SyntaxError} When it does not start with a command.
 */
export function parseConsole(text: string): Command[] {
  const commands: Command[] = [];
  for (const line of text.split("\n")) {
    const last = commands.at(-1);
    if (last?.expected.length === 0 && isOpen(last.text)) last.text += `\n${line}`;
    else if (line.startsWith("$ ")) commands.push({ text: line.slice(2), expected: [] });
    else if (last) last.expected.push(line.trimEnd());
    else throw new SyntaxError(`Cannot read the console block: it starts with '${line}', not with '$ '`);
  }
  for (const command of commands) {
    command.text = command.text.replace(/\s+# [^'"]*$/, "").trim();
    while (command.expected.at(-1) === "") command.expected.pop();
  }
  return commands;
}

function isOpen(command: string): boolean {
  const [, word] = /<<-?\s*['"]?(\w+)/.exec(command) ?? [];
  if (word !== undefined) return !command.split("\n").slice(1).includes(word);
  return command.endsWith("\\");
}

/** Servers that a README has running in other terminals, while its next blocks are run. */
export interface Terminals {
  servers: { command: Command; running: RunningCommand }[];
  /** Ports as in the README, and those they are instead. */
  ports: Map<string, string>;
  /** The first address with a port that a server said it listens on. */
  url?: string | undefined;
}

/** Nothing is running yet. */
export function openTerminals(): Terminals {
  return { servers: [], ports: new Map() };
}

/** How blocks are run. */
export interface ConsoleOptions {
  /** The folder the commands start in. */
  folder: string;
  /** How long one command may take. */
  limitMs: number;
}

/** Runs the commands of a block one after another. Throws at the first that prints or ends otherwise than it should. */
export async function runBlock(block: Block, terminals: Terminals, options: ConsoleOptions): Promise<void> {
  const commands = parseConsole(block.text);
  if (block.words.some((word) => word.startsWith("terminal-")) && terminals.servers.length === 0) {
    throw new Error("Cannot run the block: no block `terminal-1` before it, under this heading, has a server running");
  }
  for (const [index, command] of commands.entries()) {
    const text = replacePorts(addUrl(command.text, terminals), terminals.ports);
    const running = startCommand(text, options.folder);
    const hasEnded = await endsWithin(running, options.limitMs);
    await running.stop();
    const lines = backToReadme(running.lines(), terminals);
    if (!hasEnded) fail(`${text}\ndid not end within ${options.limitMs / 1000} s`, command.expected, lines);
    const code = await running.exited;
    // With `exit-1` behind the fence, it is the last one that fails.
    const expectedCode = index === commands.length - 1 ? exitCodeOf(block) : 0;
    if (code !== expectedCode) fail(`${text}\nended with exit code ${code}`, command.expected, lines);
    if (command.expected.length > 0 && !matchesTranscript(command.expected, lines)) {
      fail(`${text}\nprints something else`, command.expected, lines);
    }
  }
}

async function endsWithin(running: RunningCommand, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  const hasEnded = await Promise.race([running.exited.then(() => true), limit]);
  clearTimeout(timer);
  return hasEnded;
}

function exitCodeOf({ words }: Block): number {
  const word = words.find((one) => /^exit-\d+$/.test(one));
  return Number(word?.slice("exit-".length) ?? 0);
}

/**
 * Starts the command of a block that runs until it is stopped, and waits until it says where it listens. It gets a free
 * port, whatever the README says; the path that the README says where there is no port.
 */
export async function startBlock(
  block: Block,
  terminals: Terminals,
  { folder, limitMs }: ConsoleOptions,
): Promise<void> {
  const [command, ...more] = parseConsole(block.text);
  if (!command || more.length > 0) throw new SyntaxError("Cannot run the block: it takes exactly one command");
  const documented = urlsIn(command.expected);
  const text = replacePorts(addFreePort(command.text, documented), terminals.ports);
  const running = startCommand(text, folder);
  const count = Math.max(1, documented.length);
  const isReady = await running.waitFor((lines) => urlsIn(lines).length >= count, limitMs);
  if (!isReady) {
    await running.stop();
    fail(`${text}\ndid not say where it listens`, command.expected, running.lines());
  }
  terminals.servers.push({ command, running });
  const urls = urlsIn(running.lines());
  terminals.url ??= urls.find(portOf);
  for (const [index, url] of documented.entries()) {
    const [before, after] = [portOf(url), portOf(urls[index] ?? "")];
    if (before && after) terminals.ports.set(before, after);
  }
}

/** Stops the servers. Throws when one has printed something else than the README says, by the end of it all. */
export async function stopTerminals(terminals: Terminals, withinMs = 5_000): Promise<void> {
  const servers = terminals.servers.splice(0);
  const shown = await Promise.all(
    servers.map(async ({ command, running }) => {
      // A README may leave out how it goes on: what each client makes it print.
      const isAsExpected = (lines: string[]) =>
        matchesTranscript([...command.expected, "…"], backToReadme(lines, terminals));
      // What it prints about the last client may still be on its way.
      const isRight = command.expected.length === 0 || (await running.waitFor(isAsExpected, withinMs));
      return { command, isRight, lines: backToReadme(running.lines(), terminals) };
    }),
  );
  await Promise.all(servers.map(({ running }) => running.stop()));
  const wrong = shown.find(({ isRight }) => !isRight);
  if (wrong) fail(`${wrong.command.text}\nprinted something else by the end`, wrong.command.expected, wrong.lines);
}

function urlsIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => / listening on (\S+)/.exec(line)?.[1] ?? []);
}

function portOf(url: string): string | undefined {
  return /:(\d+)(?=\/|$)/.exec(url)?.[1];
}

/** Those whose address is a path listen where the README says. */
function addFreePort(command: string, documented: readonly string[]): string {
  const hasPort = documented.length === 0 || documented.some(portOf);
  return hasPort && /\bstart:\S+/.test(command) && !command.includes("--port") ? `${command} --port 0` : command;
}

/** A client that finds the server by its usual port needs the address of this one. */
function addUrl(command: string, { url }: Terminals): string {
  if (url === undefined || command.includes("://")) return command;
  return command.replace(/\bstart:(?!server)\S+/, `$& ${url}`);
}

function replacePorts(text: string, ports: ReadonlyMap<string, string>): string {
  return text.replace(/(?<![\w.])\d+(?![\w.]*\d)/g, (number) => ports.get(number) ?? number);
}

function backToReadme(lines: readonly string[], { ports }: Terminals): string[] {
  const back = new Map([...ports].map(([before, after]) => [after, before]));
  return lines.map((line) => replacePorts(line, back));
}

function fail(message: string, expected: readonly string[], actual: readonly string[]): never {
  const show = (lines: readonly string[]) => lines.map((line) => `\n  ${maskLine(line)}`).join("") || " nothing";
  throw new AssertionError({
    message: `$ ${message}\nThe README says:${show(expected)}\nIt printed:${show(actual)}`,
    actual,
    expected,
  });
}
