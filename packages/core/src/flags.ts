/**
 * Flags of a program by a table: the source of `--help` and of the types.
 *
 * @module
 */
import { parseArgs } from "node:util";

/** A flag of a program. Its name in the table is in camelCase (`maxFrameBytes`); on the command line it is `--max-frame-bytes`. */
export type Flag =
  | { type: "text"; help: string; default?: string; choices?: readonly string[] }
  | { type: "number"; help: string; default?: number; min?: number; max?: number }
  | { type: "switch"; help: string };

/** What the flags of a table are once they are read: a flag without a default may be missing. */
export type FlagValues<F extends Record<string, Flag>> = {
  [K in keyof F as F[K] extends { default: string | number } ? K : never]: FlagValue<F[K]>;
} & {
  [K in keyof F as F[K] extends { default: string | number } ? never : K]?: FlagValue<F[K]>;
};

type FlagValue<F extends Flag> = F extends { type: "number" }
  ? number
  : F extends { type: "switch" }
    ? boolean
    : F extends { choices: readonly (infer C)[] }
      ? C
      : string;

/** What a program is called and takes: the source of `--help`. */
export interface Program<F extends Record<string, Flag>> {
  /** As in the ready line: `tcp-echo`. */
  name: string;
  /** One sentence. */
  summary: string;
  /** Names of the arguments without a flag, for the usage line: `["url"]`. More are refused. */
  args?: readonly string[];
  flags: F;
  /** What to do about an error, by its code, where what `describeError()` says does not fit; without a full stop. */
  advice?: Readonly<Record<string, string>>;
}

/**
 * Reads flags by a table.
 *
 * @throws {TypeError} with code `ERR_USAGE` for what the table does not know or allow.
 * @example
 * ```ts
 * import { parseFlags } from "@ipc/core/flags";
 *
 * const flags = { maxFrameBytes: { type: "number", help: "longest message", default: 1024 } } as const;
 * const program = { name: "demo", summary: "Shows flags.", args: ["url"], flags };
 * console.log(parseFlags(program, ["tcp://127.0.0.1:1", "--max-frame-bytes", "16"]));
 * ```
 * ```text
 * {
 *   values: { maxFrameBytes: 16 },
 *   args: [ 'tcp://127.0.0.1:1' ],
 *   wantsHelp: false
 * }
 * ```
 */
export function parseFlags<const F extends Record<string, Flag>>(
  program: Program<F>,
  argv: readonly string[],
): { values: FlagValues<F>; args: string[]; wantsHelp: boolean } {
  // `pnpm … start -- --port 9` hands the `--` on.
  const args = argv[0] === "--" ? argv.slice(1) : [...argv];
  const entries = Object.entries(program.flags);
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {
    help: { type: "boolean", short: "h" },
  };
  for (const [name, flag] of entries) {
    options[kebab(name)] = { type: flag.type === "switch" ? "boolean" : "string" };
  }
  const parsed = readArgs(program.name, args, options);
  const most = program.args?.length ?? 0;
  if (parsed.positionals.length > most && program.args?.at(-1)?.endsWith("…") !== true) {
    throw usageError(program.name, `Cannot use argument '${parsed.positionals[most]}'`);
  }
  const values: Record<string, string | number | boolean> = {};
  for (const [name, flag] of entries) {
    const given = parsed.values[kebab(name)];
    const value = given === undefined ? ("default" in flag ? flag.default : undefined) : given;
    if (value !== undefined) values[name] = readFlag(program.name, name, flag, value);
  }
  return {
    values: values as FlagValues<F>,
    args: parsed.positionals,
    wantsHelp: parsed.values["help"] === true,
  };
}

function readArgs(
  name: string,
  args: string[],
  options: Record<string, { type: "string" | "boolean"; short?: string }>,
) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    const [sentence] = (error as Error).message.split(/\. |\.?\n/);
    throw usageError(name, sentence ?? "Cannot read the flags");
  }
}

function readFlag(program: string, name: string, flag: Flag, value: string | number | boolean | string[]) {
  const shown = `--${kebab(name)} ${value}`;
  if (flag.type === "number") {
    const number = typeof value === "string" && value.trim() === "" ? Number.NaN : Number(value);
    // What a timer can wait and about what a message can be long.
    const { min = 0, max = 2_147_483_647 } = flag;
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    const range = flag.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
    throw usageError(program, `Cannot use ${shown}: it takes a whole number ${range}`);
  }
  if (flag.type === "text" && flag.choices && !flag.choices.includes(String(value))) {
    throw usageError(program, `Cannot use ${shown}: it takes ${flag.choices.join(" or ")}`);
  }
  return flag.type === "switch" ? value === true : String(value);
}

function usageError(program: string, message: string) {
  return Object.assign(new TypeError(message), { code: "ERR_USAGE", program });
}

/** The text of `--help`. */
export function describeProgram(program: Program<Record<string, Flag>>): string {
  const args = (program.args ?? []).map((name) => ` [${name}]`).join("");
  const rows = Object.entries(program.flags).map(([name, flag]) => {
    const value = { text: " text", number: " n", switch: "" }[flag.type];
    const choices = flag.type === "text" && flag.choices ? `: ${flag.choices.join(", ")}` : "";
    const usual = "default" in flag && flag.default !== undefined ? ` (${flag.default})` : "";
    return [`--${kebab(name)}${value}`, `${flag.help}${choices}${usual}`] as const;
  });
  rows.push(["--help", "this text"]);
  const width = Math.max(...rows.map(([flag]) => flag.length));
  const lines = rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`);
  return [`${program.name}${args} [flags]`, program.summary, "", ...lines].join("\n");
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
