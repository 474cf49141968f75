import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import jayson from "jayson";
import jaysonPromise from "jayson/promise/index.js";
import { RpcError } from "../src/index.ts";
import { open, portOf, serve } from "./support.ts";

const timeout = 20_000;
const COUNT = 100;

test("a client of jayson's calls our server, over HTTP and over TCP", { timeout }, async (t) => {
  const { http, tcp } = await serve(t);
  const clients = [
    jaysonPromise.Client.http({ host: "127.0.0.1", port: portOf(http) }),
    jaysonPromise.Client.tcp({ host: "127.0.0.1", port: portOf(tcp) }),
  ];
  for (const client of clients) {
    for (let number = 0; number < COUNT; number++) {
      assert.equal((await client.request("add", [number, 1])).result, number + 1);
    }
    assert.equal((await client.request("nope", [])).error.code, -32601);
  }
});

test("our client calls servers of jayson's, over HTTP and over TCP", { timeout }, async (t) => {
  const methods = {
    add([a = 0, b = 0]: number[], callback: (error: null, sum: number) => void) {
      callback(null, a + b);
    },
  };
  const http = new jayson.Server(methods).http();
  const tcp = new jayson.Server(methods).tcp();
  for (const [protocol, server] of Object.entries({ http, tcp })) {
    server.listen(0, "127.0.0.1");
    t.after(() => server.close());
    await once(server, "listening");
    const client = await open(t, `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const sums = await Promise.all(Array.from({ length: COUNT }, (_, number) => client.call("add", [number, 1])));
    assert.deepEqual(
      sums,
      sums.map((_, number) => number + 1),
    );
    await assert.rejects(client.call("nope"), RpcError);
    await client.notify("add", [1, 2]);
    const [first, , third] = await client.batch([
      { method: "add", params: [1, 2] },
      { method: "add", params: [3, 4], isNotification: true },
      { method: "add", params: [5, 6] },
    ]);
    assert.deepEqual(
      [first, third],
      [
        { status: "fulfilled", value: 3 },
        { status: "fulfilled", value: 11 },
      ],
    );
    await client.close();
  }
});

test("Python calls our server with nothing but its standard library", { timeout }, async (t) => {
  const script = fileURLToPath(new URL("fixtures/client.py", import.meta.url));
  const { server } = await serve(t);
  const ran = await promisify(execFile)("python3", [script, ...server.urls]).catch((error) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (!ran) return t.skip("needs python3");
  assert.equal(ran.stdout, "all as it should be\n");
});
