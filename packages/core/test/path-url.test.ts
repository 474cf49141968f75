import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toSocketPath } from "../src/socket-path.ts";
import { formatPath, parsePath } from "../src/url.ts";

const timeout = 10_000;

describe("parsePath()", () => {
  const cases: [url: string, protocol: string, path: string][] = [
    ["unix:/tmp/echo.sock", "unix", "/tmp/echo.sock"],
    ["unix:///tmp/echo.sock", "unix", "/tmp/echo.sock"],
    ["unix:/tmp/my%20own.sock", "unix", "/tmp/my own.sock"],
    ["unix:/tmp/my own.sock", "unix", "/tmp/my own.sock"],
    ["unix:/tmp/../tmp/./x", "unix", "/tmp/x"],
    ["unix:/tmp/a?b#c:1", "unix", "/tmp/a?b#c:1"],
    ["unix:echo.sock", "unix", join(process.cwd(), "echo.sock")],
    ["unix:./a/b", "unix", join(process.cwd(), "a/b")],
    ["fifo:/tmp/lines", "fifo", "/tmp/lines"],
  ];
  for (const [url, protocol, path] of cases) {
    test(`reads ${url}`, { timeout, skip: process.platform === "win32" && "paths are others there" }, () => {
      assert.equal(parsePath(url, protocol), path);
    });
  }

  const mistakes: [what: string, url: string][] = [
    ["nothing", ""],
    ["no protocol", "/tmp/echo.sock"],
    ["another protocol", "fifo:/tmp/echo.sock"],
    ["TCP", "tcp://127.0.0.1:1"],
    ["no path", "unix:"],
    ["a host", "unix://host/tmp/echo.sock"],
    ["only slashes", "unix:///"],
    ["a folder", "unix:/tmp/"],
    ["the folder above", "unix:/tmp/.."],
    ["this folder", "unix:."],
    ["four slashes", "unix:////tmp/x"],
    ["a NUL", "unix:/tmp/a%00b"],
    ["half an escape", "unix:/tmp/%2"],
    ["an escape that is no UTF-8", "unix:/tmp/%ff"],
  ];
  for (const [what, url] of mistakes) {
    test(`refuses ${what}: '${url}'`, { timeout }, () => {
      assert.throws(() => parsePath(url, "unix"), {
        name: "TypeError",
        code: "ERR_INVALID_URL",
        input: url,
        message: `Cannot use address '${url}': it is no URL such as unix:/tmp/example`,
      });
    });
  }
});

describe("formatPath()", () => {
  test("writes what parsePath() reads back, without blanks", { timeout }, () => {
    const name = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/[\0/\\]|^\.{1,2}$/.test(text));
    const property = fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), (names) => {
      const path = `/${names.join("/")}`;
      const url = formatPath("unix", path);
      assert.doesNotMatch(url, /\s/);
      assert.equal(parsePath(url, "unix"), path);
    });
    fc.assert(property, { numRuns: 2_000 });
  });
});

describe("toSocketPath()", () => {
  const windows = (path: string) => toSocketPath(path, { platform: "win32" });

  test("names a pipe on Windows", { timeout }, () => {
    assert.equal(windows("C:\\Users\\me\\echo.sock"), "\\\\.\\pipe\\C:\\Users\\me\\echo.sock");
    assert.equal(windows("/tmp/echo.sock"), "\\\\.\\pipe\\tmp\\echo.sock");
    assert.equal(windows("\\\\.\\pipe\\echo"), "\\\\.\\pipe\\echo", "one that is named already");
  });

  test("leaves a path as it is elsewhere", { timeout }, () => {
    assert.equal(toSocketPath("/tmp/echo.sock", { platform: "linux" }), "/tmp/echo.sock");
  });

  test("refuses what the system would cut off in silence: bytes count, not characters", { timeout }, (t) => {
    if (process.platform === "win32") return t.skip("there is no such limit");
    const most = process.platform === "linux" ? 107 : 103;
    assert.equal(toSocketPath("a".repeat(most)).length, most);
    for (const path of ["a".repeat(most + 1), "é".repeat(54)]) {
      assert.throws(() => toSocketPath(path), {
        name: "RangeError",
        code: "ENAMETOOLONG",
        pathBytes: Buffer.byteLength(path),
        maxPathBytes: most,
      });
    }
    assert.throws(() => toSocketPath("a".repeat(most), { spareBytes: 1 }), { maxPathBytes: most - 1 });
  });
});
