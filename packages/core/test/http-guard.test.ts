import assert from "node:assert/strict";
import { hostname, networkInterfaces } from "node:os";
import { test } from "node:test";
import { createHttpGuard, problem } from "../src/http-guard.ts";
import { listenError } from "../src/listen-error.ts";

function ask(headers: Record<string, string>, options = {}, method = "GET"): number | undefined {
  return createHttpGuard(options)({ headers, rawHeaders: Object.entries(headers).flat(), method })?.status;
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

test("a Host that is an address or the name of this machine passes, with and without a port", () => {
  const external = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const addresses = external.filter(({ family }) => family === "IPv4").map(({ address }) => address);
  for (const host of ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", hostname(), ...addresses]) {
    assert.equal(ask({ host }), undefined, host);
    assert.equal(ask({ host: `${host}:8080` }), undefined, host);
  }
});

test("a Host of somebody else is misdirected (421), unless it is allowed", () => {
  for (const host of [
    "evil.example",
    "evil.example:3000",
    "127.0.0.1.evil.example",
    "localhost.",
    "[::2]",
    "a:b:c",
    "@",
  ]) {
    assert.equal(ask({ host }), 421, host);
  }
  assert.equal(ask({ host: "Chat.example:81" }, { allowedHosts: ["chat.Example"] }), undefined);
});

test("HTTP/1.0 has no Host, and passes; in HTTP/1.1 there has to be one, and two are refused (400)", () => {
  assert.equal(ask({}), undefined);
  const without = (httpVersion: string) => createHttpGuard()({ headers: {}, rawHeaders: [], httpVersion })?.status;
  assert.deepEqual([without("1.0"), without("1.1")], [undefined, 400]);
  const rawHeaders = ["Host", "localhost", "Accept", "host", "hOST", "localhost"];
  assert.equal(createHttpGuard()({ headers: { host: "localhost" }, rawHeaders })?.status, 400);
});

test("an Origin has to be the server's own, or allowed; else 403", () => {
  const host = "127.0.0.1:3000";
  assert.equal(ask({ host, origin: "http://127.0.0.1:3000" }), undefined);
  assert.equal(ask({ host, origin: "https://127.0.0.1:3000" }), undefined);
  for (const origin of [
    "http://127.0.0.1:3001",
    "http://localhost:3000",
    "null",
    "",
    "http://evil.example",
    "http://",
  ]) {
    assert.equal(ask({ host, origin }), 403, origin);
  }
  const allowedOrigins = ["https://app.example"];
  assert.equal(ask({ host, origin: "https://app.example" }, { allowedOrigins }), undefined);
  assert.equal(ask({ host, origin: "http://app.example" }, { allowedOrigins }), 403);
});

test("with a token: it passes as Bearer and as the password of any name; all else is 401", () => {
  const token = "0123:456789abcdef~/+%";
  const show = (authorization: string) => ask({ host: "localhost", authorization }, { token });
  for (const shown of [`Bearer ${token}`, `bearer  ${token}`, basic(`:${token}`), basic(`é:${token}`)]) {
    assert.equal(show(shown), undefined, shown);
    assert.equal(show(shown.toUpperCase()), 401, shown);
  }
  assert.equal(ask({ host: "localhost" }, { token }), 401);
  for (const wrong of [
    ...["", "Bearer", "Bearer ", "Basic ", "Basic ====", token, `Digest ${token}`, `Bearer ${token}x`],
    ...[`Bearer ${token}, Bearer ${token}`, `Bearer x ${token}`, basic(`${token}:`), basic(`${token}:${token}`)],
    ...[basic(`x:${token}\n`), basic("x:"), `Basic ${token}`, `Bearer ${basic(`x:${token}`)}`],
  ]) {
    assert.equal(show(wrong), 401, wrong);
    assert.equal(ask({ host: "localhost", authorization: wrong }), undefined, "nobody wants one");
  }
});

test("with a token: who is refused without one is refused with it; only a page that may ask may look first", () => {
  const token = "0123456789abcdef";
  const options = { token, allowedOrigins: ["https://app.example"] };
  const headers = { host: "localhost", authorization: `Bearer ${token}` };
  assert.equal(ask({ ...headers, host: "evil.example" }, options), 421);
  assert.equal(ask({ ...headers, origin: "https://evil.example" }, options), 403);
  const preflight = (origin: string) => ask({ host: "localhost", origin }, options, "OPTIONS");
  assert.deepEqual([preflight("https://app.example"), preflight("https://evil.example")], [undefined, 403]);
  assert.equal(ask({ host: "localhost" }, options, "OPTIONS"), 401);
  for (const method of ["GET", "POST", "DELETE", "options"]) {
    assert.equal(ask({ host: "localhost", origin: "https://app.example" }, options, method), 401);
  }
});

test("a problem has the title of its status", () => {
  assert.deepEqual(problem(404, "there is no book 7"), {
    type: "about:blank",
    title: "Not Found",
    status: 404,
    detail: "there is no book 7",
  });
  assert.equal(problem(599, "odd").title, "Error");
});

test("listenError() keeps code and cause, in words where it knows them", () => {
  const cause = Object.assign(new Error("bind EINVAL"), { code: "EINVAL" });
  const error = listenError("udp://127.0.0.1:1", cause);
  assert.equal(error.message, "Cannot listen on udp://127.0.0.1:1: bind EINVAL");
  assert.equal(error.code, "EINVAL");
  assert.equal(error.cause, cause);
});
