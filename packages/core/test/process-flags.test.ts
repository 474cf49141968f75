import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startProgram } from "../src/child.ts";
import { parseFlags } from "../src/flags.ts";
import { describeError } from "../src/process.ts";

const timeout = 15_000;

const flags = {
  host: { type: "text", help: "address", default: "127.0.0.1" },
  port: { type: "number", help: "port", default: 65_432, max: 65_535 },
  maxFrameBytes: { type: "number", help: "longest message", default: 1_024, min: 1 },
  waitMs: { type: "number", help: "time to wait" },
  framing: { type: "text", help: "borders", default: "length", choices: ["length", "lines"] },
  verbose: { type: "switch", help: "say more" },
} as const;
const program = { name: "demo", summary: "Shows flags.", args: ["url"], flags } as const;

const DEFAULTS = { host: "127.0.0.1", port: 65_432, maxFrameBytes: 1_024, framing: "length" };

describe("parseFlags()", () => {
  test("gives the defaults where nothing is said, and nothing where there is none", { timeout }, () => {
    assert.deepEqual(parseFlags(program, []), { values: DEFAULTS, args: [], wantsHelp: false });
  });

  test("reads flags in kebab-case, with a space or an equals sign, before and behind the arguments", {
    timeout,
  }, () => {
    const argv = ["--max-frame-bytes", "16", "tcp://h:1", "--wait-ms=0", "--framing=lines", "--verbose", "--port", "0"];
    assert.deepEqual(parseFlags(program, argv), {
      values: { ...DEFAULTS, maxFrameBytes: 16, waitMs: 0, framing: "lines", verbose: true, port: 0 },
      args: ["tcp://h:1"],
      wantsHelp: false,
    });
  });

  test("takes the last of a flag that is given twice", { timeout }, () => {
    assert.equal(parseFlags(program, ["--port", "1", "--port", "2"]).values.port, 2);
  });

  test("drops a first --, which pnpm hands on", { timeout }, () => {
    assert.equal(parseFlags(program, ["--", "--port", "9"]).values.port, 9);
    assert.deepEqual(parseFlags(program, ["--", "tcp://h:1"]).args, ["tcp://h:1"]);
  });

  test("takes what is behind a later -- as arguments", { timeout }, () => {
    assert.deepEqual(parseFlags(program, ["--verbose", "--", "--port"]).args, ["--port"]);
  });

  test("sees --help and -h", { timeout }, () => {
    for (const flag of ["--help", "-h"]) assert.equal(parseFlags(program, [flag]).wantsHelp, true);
  });

  test("takes any number of arguments where the last name ends in …", { timeout }, () => {
    const many = { ...program, args: ["url", "message…"] };
    assert.deepEqual(parseFlags(many, ["a", "b", "c", "d"]).args, ["a", "b", "c", "d"]);
  });

  test("does not change the arguments it is given", { timeout }, () => {
    const argv = Object.freeze(["--", "--port", "9"]);
    parseFlags(program, argv);
    assert.deepEqual(argv, ["--", "--port", "9"]);
  });

  const mistakes: [what: string, argv: string[], message: string | RegExp][] = [
    ["an unknown flag", ["--bogus"], "Unknown option '--bogus'"],
    ["a flag in camelCase", ["--maxFrameBytes", "1"], "Unknown option '--maxFrameBytes'"],
    ["an unknown short flag", ["-x"], "Unknown option '-x'"],
    ["an argument too many", ["a", "b"], "Cannot use argument 'b'"],
    ["a flag without its value", ["--port"], "Option '--port <value>' argument missing"],
    ["a switch with a value", ["--verbose=yes"], "Option '--verbose' does not take an argument"],
    ["a word for a number", ["--port", "http"], "Cannot use --port http: it takes a whole number from 0 to 65535"],
    ["nothing for a number", ["--port="], /^Cannot use --port : it takes a whole number from 0 to 65535$/],
    ["blanks for a number", ["--port", " "], /^Cannot use --port {2}: it takes a whole number/],
    ["a fraction", ["--port", "1.5"], "Cannot use --port 1.5: it takes a whole number from 0 to 65535"],
    ["a number too large", ["--port", "65536"], "Cannot use --port 65536: it takes a whole number from 0 to 65535"],
    ["a negative number", ["--port=-1"], "Cannot use --port -1: it takes a whole number from 0 to 65535"],
    ["a number too small", ["--max-frame-bytes", "0"], /--max-frame-bytes 0: it takes a whole number of at least 1$/],
    ["no number", ["--port", "NaN"], /^Cannot use --port NaN: /],
    ["an endless number", ["--wait-ms", "Infinity"], /^Cannot use --wait-ms Infinity: /],
    ["an unsafe number", ["--wait-ms", "9007199254740993"], /^Cannot use --wait-ms 9007199254740993: /],
    ["a choice that is none", ["--framing", "dots"], "Cannot use --framing dots: it takes length or lines"],
  ];
  for (const [what, argv, message] of mistakes) {
    test(`refuses ${what}: ${argv.join(" ")}`, { timeout }, () => {
      assert.throws(() => parseFlags(program, argv), { name: "TypeError", code: "ERR_USAGE", message });
    });
  }

  test("says what is wrong with a negative number behind a space in one sentence without a full stop", {
    timeout,
  }, () => {
    const error = errorOf(() => parseFlags(program, ["--port", "-1"]));
    assert.match(error.message, /^Option '--port' argument is ambiguous$/);
    assert.equal(describeError(error), "Option '--port' argument is ambiguous. Try --help");
  });

  test("leads to --help", { timeout }, () => {
    const error = errorOf(() => parseFlags(program, ["--bogus"]));
    assert.equal(describeError(error), "Unknown option '--bogus'. Try --help");
  });
});

function errorOf(action: () => void): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it throws");
}

const server = new URL("fixtures/echo-server.ts", import.meta.url);

test("--help prints usage, summary and every flag with its default in 80 columns, exit code 0", {
  timeout,
}, async (t) => {
  const child = startProgram(server, ["--help"]);
  t.after(() => child.stop("SIGKILL"));
  assert.deepEqual(await child.exited, { code: 0, signal: null });
  assert.deepEqual(child.errors, []);
  assert.deepEqual(child.output, [
    "echo [flags]",
    "Sends lines back.",
    "",
    "  --host text   address to listen on (127.0.0.1)",
    "  --port n      port to listen on; 0 takes a free one (0)",
    "  --say-pid     print the process's id",
    "  --grace-ms n  time for what is in flight when it is stopped (3000)",
    "  --help        this text",
  ]);
  for (const line of child.output) assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
});

test("a wrong flag gives one line that leads to --help, exit code 1", { timeout }, async (t) => {
  const child = startProgram(server, ["--port", "http"]);
  t.after(() => child.stop("SIGKILL"));
  assert.deepEqual(await child.exited, { code: 1, signal: null });
  assert.deepEqual(child.output, []);
  assert.deepEqual(child.errors, ["Cannot use --port http: it takes a whole number from 0 to 65535. Try --help"]);
});
