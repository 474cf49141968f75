import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { formatAddress, parseAddress } from "../src/url.ts";

const timeout = 10_000;

describe("parseAddress()", () => {
  const cases: [url: string, protocol: string, host: string, port: number][] = [
    ["tcp://127.0.0.1:65432", "tcp", "127.0.0.1", 65_432],
    ["tcp://127.0.0.1:65432/", "tcp", "127.0.0.1", 65_432],
    ["tcp://localhost:0", "tcp", "localhost", 0],
    ["tcp://[::1]:1", "tcp", "::1", 1],
    ["tcp://[::]:65535", "tcp", "::", 65_535],
    ["udp://example.org:5005", "udp", "example.org", 5_005],
    // The usual port of a protocol that browsers know is a port as well.
    ["http://127.0.0.1:80", "http", "127.0.0.1", 80],
    ["ws://127.0.0.1:80", "ws", "127.0.0.1", 80],
    ["http://127.0.0.1:3000", "http", "127.0.0.1", 3_000],
  ];
  for (const [url, protocol, host, port] of cases) {
    test(`reads ${url}`, { timeout }, () => {
      assert.deepEqual(parseAddress(url, protocol), { host, port });
    });
  }

  const mistakes: [what: string, url: string][] = [
    ["nothing", ""],
    ["no URL", "nonsense"],
    ["no protocol", "127.0.0.1:65432"],
    ["another protocol", "udp://127.0.0.1:65432"],
    ["no port", "tcp://127.0.0.1"],
    ["an empty port", "tcp://127.0.0.1:"],
    ["a port above 65535", "tcp://127.0.0.1:65536"],
    ["a negative port", "tcp://127.0.0.1:-1"],
    ["a port that is no number", "tcp://127.0.0.1:http"],
    ["no host", "tcp://:65432"],
    ["a host without brackets", "tcp://::1:65432"],
    ["a path", "tcp://127.0.0.1:65432/path"],
    ["a query", "tcp://127.0.0.1:65432?a=1"],
    ["a fragment", "tcp://127.0.0.1:65432#a"],
    ["a user", "tcp://me@127.0.0.1:65432"],
    ["a password", "tcp://me:secret@127.0.0.1:65432"],
    ["no slashes", "tcp:127.0.0.1:65432"],
  ];
  for (const [what, url] of mistakes) {
    test(`refuses ${what}: '${url}'`, { timeout }, () => {
      assert.throws(() => parseAddress(url, "tcp"), {
        name: "TypeError",
        code: "ERR_INVALID_URL",
        input: url,
        message: `Cannot use address '${url}': it is no URL such as tcp://127.0.0.1:1234`,
      });
    });
  }

  test("gives an address or ERR_INVALID_URL for any text", { timeout }, () => {
    const text = fc.oneof(
      fc.string(),
      fc.string().map((rest) => `tcp://${rest}`),
    );
    const property = fc.property(text, (url) => {
      try {
        const { host, port } = parseAddress(url, "tcp");
        assert.ok(host !== "" && port >= 0 && port <= 65_535);
      } catch (error) {
        assert.ok(error instanceof TypeError && "code" in error);
        assert.equal(error.code, "ERR_INVALID_URL");
      }
    });
    fc.assert(property, { numRuns: 5_000 });
  });
});

describe("formatAddress()", () => {
  test("puts an IPv6 address into brackets", { timeout }, () => {
    assert.equal(formatAddress("tcp", { host: "::1", port: 1 }), "tcp://[::1]:1");
    assert.equal(formatAddress("udp", { host: "127.0.0.1", port: 65_535 }), "udp://127.0.0.1:65535");
  });

  test("writes what parseAddress() reads back", { timeout }, () => {
    const host = fc.oneof(fc.ipV4(), fc.constantFrom("::", "::1", "2001:db8::1"), fc.domain());
    const property = fc.property(host, fc.nat(65_535), (name, port) => {
      const address = { host: name, port };
      assert.deepEqual(parseAddress(formatAddress("tcp", address), "tcp"), address);
    });
    fc.assert(property, { numRuns: 2_000 });
  });
});
