import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { startProgram } from "@ipc/core/child";
import { ask, bin, draft, freeUrl, serve, TOKEN, temporaryDatabase } from "./support.ts";

const timeout = 60_000;

describe("programs, several at once", { concurrency: 2 }, () => {
  test("start --once shows what passed between two processes and ends with 0", { timeout }, async (t) => {
    const start = startProgram(bin("start"), ["--once"]);
    t.after(() => start.stop("SIGKILL"));
    assert.deepEqual(await start.exited, { code: 0, signal: null });
    assert.deepEqual(start.errors, []);
    const shown = start.output.map((line) => line.replace(/:\d+/g, ":PORT"));
    assert.deepEqual(
      shown.filter((line) => line.startsWith("client")),
      [
        "client │ listed   Emma, Frankenstein, Jane Eyre",
        "client │ created  the-trial: version 25",
        "client │ heard    of a change",
        "client │ changed  to 5 stars: version 26",
        "client │ refused  1 star on version 25: ERR_CONFLICT",
        "client │ deleted",
      ],
    );
    assert.deepEqual(
      shown.filter((line) => line.startsWith("server")),
      [
        "server │ rest-api listening on http://127.0.0.1:PORT",
        "server │ 127.0.0.1:PORT GET /health 200",
        "server │ 127.0.0.1:PORT follows the changes",
        "server │ 127.0.0.1:PORT GET /books?sort=year&limit=3 200",
        "server │ 127.0.0.1:PORT POST /books 201",
        "server │ 127.0.0.1:PORT PATCH /books/the-trial 200",
        "server │ 127.0.0.1:PORT PATCH /books/the-trial 412",
        "server │ 127.0.0.1:PORT DELETE /books/the-trial 204",
        "server │ 127.0.0.1:PORT follows no more",
      ],
    );
  });

  test("start stays up, says where the page is, and ends with 0 on SIGINT", { timeout }, async (t) => {
    const env = { DATABASE_URL: await temporaryDatabase(t) };
    const start = startProgram(bin("start"), ["--port", "0"], { env });
    t.after(() => start.stop("SIGKILL"));
    const url = await start.ready;
    await start.waitForLine(/^open http:\/\/127\.0\.0\.1:\d+ in two windows; docs: \/docs/);
    assert.match((await ask(`${url}/`)).body, /<!doctype html>/i);
    assert.equal((await ask(`${url}/books?limit=100`)).body.books.length, 24);
    assert.deepEqual(await start.stop("SIGINT"), { code: 0, signal: null });
    assert.deepEqual(start.errors, []);
  });

  test("the client may start first: it says once that it waits, then works, and escapes what a terminal would obey", {
    timeout,
  }, async (t) => {
    const url = await freeUrl();
    const client = startProgram(bin("client"), [url]);
    t.after(() => client.stop("SIGKILL"));
    await client.waitForLine(/waiting/);
    await serve(t, {
      port: Number(new URL(url).port),
      firstBooks: [{ id: "emma", ...draft("\u202edna \u200eEmma") }],
    });
    assert.deepEqual(await client.exited, { code: 0, signal: null });
    assert.deepEqual(client.errors, [`waiting for ${url}`]);
    assert.equal(client.output[0], "listed   \\u202edna \\u200eEmma");
    assert.equal(client.output.at(-1), "deleted");
  });

  test("open to a network: the token lets in, nothing else does; --insecure warns", { timeout }, async (t) => {
    const run = (program: string, ...args: string[]) => {
      const child = startProgram(bin(program), args);
      t.after(() => child.stop("SIGKILL"));
      return child;
    };
    const open = ["--host", "0.0.0.0", "--port", "0", "--database", ":memory:"];
    const server = run("server", ...open, "--token", TOKEN);
    const url = (await server.ready).replace("0.0.0.0", "127.0.0.1");
    await server.waitForLine(/^from other machines: /);
    for (const args of [[], ["--token", TOKEN.toUpperCase()]]) {
      const stranger = run("client", url, ...args);
      assert.deepEqual(await stranger.exited, { code: 1, signal: null });
      assert.deepEqual(stranger.output, []);
      assert.deepEqual(stranger.errors, [`Cannot connect to ${url}: it wants a token. Check --token`]);
    }
    await server.waitForLine(/ refused with 401: the token is missing or wrong: /);
    const client = run("client", url, "--token", TOKEN);
    assert.deepEqual(await client.exited, { code: 0, signal: null });
    assert.equal(client.output.at(-1), "deleted");
    assert.deepEqual(server.errors, []);
    assert.doesNotMatch([...server.output, ...client.output].join("\n"), new RegExp(TOKEN));

    const insecure = run("server", ...open, "--insecure");
    await insecure.waitForLine(/^insecure: whoever reaches this machine may read and write$/);
    assert.deepEqual(await insecure.stop(), { code: 0, signal: null });
  });

  test("wrong addresses and databases get one line and exit code 1, never a stack trace", {
    timeout,
  }, async (t) => {
    const nobody = await freeUrl();
    const cases: [program: string, args: string[], line: RegExp][] = [
      [
        "server",
        ["--port", "0", "--database", "file:/nowhere/at/all/x.db"],
        /^Cannot open database file:\/nowhere\/at\/all\/x.db: .+\. Check --database, or DATABASE_URL$/,
      ],
      [
        "server",
        ["--host", "0.0.0.0", "--port", "0", "--database", ":memory:"],
        /^Cannot listen on 0\.0\.0\.0 without a token: anybody .+ could call\. Name one with --token, or let/,
      ],
      ["server", ["--token", "short"], /^Cannot use token: it takes 16 to 256 printable ASCII characters, no blank$/],
      ["client", [nobody, "--wait-ms", "0"], new RegExp(`^Cannot connect at ${nobody}: nobody listens there\\. Start`)],
    ];
    await Promise.all(
      cases.map(async ([program, args, line]) => {
        const child = startProgram(bin(program), args);
        t.after(() => child.stop("SIGKILL"));
        assert.deepEqual(await child.exited, { code: 1, signal: null }, args.join(" "));
        assert.equal(child.errors.length, 1, child.errors.join("\n"));
        assert.match(child.errors[0] ?? "", line);
      }),
    );
  });

  test("--help of every program fits 80 columns and names every flag", { timeout }, async (t) => {
    const programs = ["server", "client", "start"].map(async (program) => {
      const child = startProgram(bin(program), ["--help"]);
      t.after(() => child.stop("SIGKILL"));
      assert.deepEqual(await child.exited, { code: 0, signal: null });
      const longest = child.output.reduce((most, line) => Math.max(most, line.length), 0);
      assert.ok(longest <= 80, `${program}: ${longest} columns`);
      assert.ok(child.output.some((line) => line.includes("--help")));
    });
    await Promise.all(programs);
  });
});
