import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { describeError } from "../src/process.ts";
import { paint, printable } from "../src/terminal.ts";
import { utf8 } from "./support.ts";

const timeout = 10_000;

describe("printable()", () => {
  const cases: [what: string, text: string, shown: string][] = [
    ["text as it is", "Hello, wörld: 你好 👋", "Hello, wörld: 你好 👋"],
    ["nothing as nothing", "", ""],
    ["the end of a line", "one\r\ntwo\t", "one\\x0d\\x0atwo\\x09"],
    ["a NUL, a bell, DEL", "\0\u0007\u007f", "\\x00\\x07\\x7f"],
    ["a terminal's commands", "\u001b[2J\u001b]0;title\u0007", "\\x1b[2J\\x1b]0;title\\x07"],
    ["an 8-bit command introducer", "\u009b2J", "\\x9b2J"],
    ["overrides of direction", "\u202eexe.txt\u202c \u2066a\u2069", "\\u202eexe.txt\\u202c \\u2066a\\u2069"],
    ["marks of direction", "\u200ea\u200f", "\\u200ea\\u200f"],
    ["line separators", "a\u2028b\u2029c", "a\\u2028b\\u2029c"],
  ];
  for (const [what, text, shown] of cases) {
    test(`shows ${what}`, { timeout }, () => {
      assert.equal(printable(utf8(text)), shown);
    });
  }

  test("escapes every character that turns the direction of text around", { timeout }, () => {
    // Unicode's property Bidi_Control (UAX 9).
    const turning = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).filter((character) =>
      /\p{Bidi_Control}/u.test(character),
    );
    assert.ok(turning.length > 10);
    for (const character of turning) {
      const code = character.charCodeAt(0).toString(16).padStart(4, "0");
      assert.equal(printable(utf8(`a${character}b`)), `a\\u${code}b`);
    }
  });

  test("shows bytes that are no UTF-8 as replacement characters", { timeout }, () => {
    assert.equal(printable(Uint8Array.of(0x61, 0xff, 0xc3, 0x28, 0x62)), "a\ufffd\ufffd(b");
  });

  test("cuts what is long, and says how long it is", { timeout }, () => {
    assert.equal(printable(utf8("x".repeat(200))), "x".repeat(200));
    assert.equal(printable(utf8("x".repeat(201))), `${"x".repeat(200)}… (201 bytes)`);
    assert.equal(printable(utf8("é".repeat(10)), 5), "ééééé… (20 bytes)");
    assert.equal(printable(new Uint8Array(5_000_000).fill(0x61), 3), "aaa… (5000000 bytes)");
  });

  test("does not cut a character in two", { timeout }, () => {
    const shown = printable(utf8(`${"x".repeat(9)}👋👋`), 10);
    assert.equal(Buffer.from(shown).toString(), shown, "half a character is no text");
  });

  test("gives one line without control characters for any bytes", { timeout }, () => {
    const property = fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 300 }), (bytes, most) => {
      const shown = printable(bytes, most);
      assert.doesNotMatch(shown, /[\p{Cc}\p{Zl}\p{Zp}]/u);
      // Each character becomes \uXXXX at most; then the note of how long it is.
      assert.ok(shown.length <= most * 6 + 20);
    });
    fc.assert(property, { numRuns: 5_000 });
  });
});

describe("describeError()", () => {
  const coded = (code: string, message = "Cannot do it: reason") => Object.assign(new Error(message), { code });

  const advices: [code: string, advice: RegExp][] = [
    ["EADDRINUSE", /--port 0/],
    ["EADDRNOTAVAIL", /--host 127\.0\.0\.1/],
    ["ECONNREFUSED", /Start the server first/],
    ["ENOTFOUND", /host's name/],
    ["EMFILE", /ulimit -n/],
    ["ERR_FRAME_TOO_LARGE", /--max-frame-bytes/],
    ["ERR_USAGE", /--help/],
  ];
  for (const [code, advice] of advices) {
    test(`says what to do about ${code}`, { timeout }, () => {
      const line = describeError(coded(code));
      assert.ok(line.startsWith("Cannot do it: reason. "), line);
      assert.match(line, advice);
      assert.doesNotMatch(line, /\n|\.$/);
    });
  }

  test("prefers a program's own advice", { timeout }, () => {
    const advice = { EADDRINUSE: "Choose another path" };
    assert.equal(describeError(coded("EADDRINUSE"), advice), "Cannot do it: reason. Choose another path");
    assert.match(describeError(coded("EADDRNOTAVAIL"), advice), /--host/);
  });

  test("gives the text of an error that it does not know, without its code or stack", { timeout }, () => {
    assert.equal(describeError(coded("EUNKNOWN")), "Cannot do it: reason");
    assert.equal(describeError(new TypeError("x is not a function")), "x is not a function");
  });

  test("gives the first line of a text that has several", { timeout }, () => {
    assert.equal(describeError(new Error("first\nsecond\nthird")), "first");
  });

  test("gives what was thrown where it is no error", { timeout }, () => {
    assert.equal(describeError("text"), "Cannot go on: text");
    assert.equal(describeError(undefined), "Cannot go on: undefined");
  });

  test("says something for an error without a text, as Node gives for a host of several addresses", { timeout }, () => {
    const tries = ["::1", "127.0.0.1"].map((host) => coded("ECONNREFUSED", `connect ECONNREFUSED ${host}:1`));
    const error = Object.assign(new AggregateError(tries), { code: "ECONNREFUSED" });
    assert.match(describeError(error), /^[^.\s].*ECONNREFUSED.*Start the server first/);
  });

  test("shows the stack as well with NODE_DEBUG=ipc", { timeout }, (t) => {
    const before = process.env["NODE_DEBUG"];
    t.after(() => {
      if (before === undefined) delete process.env["NODE_DEBUG"];
      else process.env["NODE_DEBUG"] = before;
    });
    process.env["NODE_DEBUG"] = "http,ipc";
    assert.match(describeError(new Error("Cannot do it")), /^Cannot do it\nError: Cannot do it\n +at /);
    process.env["NODE_DEBUG"] = "http";
    assert.equal(describeError(new Error("Cannot do it")), "Cannot do it");
  });
});

test("paint() leaves text as it is where it does not go to a terminal", { timeout }, (t) => {
  const before = process.stdout.isTTY;
  t.after(() => {
    process.stdout.isTTY = before;
  });
  process.stdout.isTTY = false;
  assert.equal(paint("cyan", "text"), "text");
});
