import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { signalled, until } from "@ipc/core/testing";
import * as openRpc from "@open-rpc/meta-schema";
import { Ajv } from "ajv";
import { type ClientEvent, connect, defineMethod, METHODS, type Outcome, RpcError, startServer } from "../src/index.ts";
import { dial, freeUrls, open, portOf, post, sendLines, serve } from "./support.ts";

const timeout = 20_000;
const PROTOCOLS = ["http", "tcp"] as const;

for (const protocol of PROTOCOLS) {
  test(`${protocol}: call() gives the result, by position and by name`, { timeout }, async (t) => {
    const client = await open(t, (await serve(t))[protocol]);
    assert.equal(await client.call("add", [1, 2]), 3);
    assert.equal(await client.call("subtract", [42, 23]), 19);
    assert.equal(await client.call("subtract", { subtrahend: 23, minuend: 42 }), 19);
    assert.equal(await client.call("sum", [1, 2, 4]), 7);
    assert.equal(await client.call("sum", { numbers: [1, 2, 4] }), 7);
    assert.equal(await client.call("sum", []), 0);
    assert.deepEqual(await client.call("echo", [{ é: [null, "🙂"] }]), { é: [null, "🙂"] });
    assert.equal(await client.call("echo", { value: false }), false);
    assert.equal(await client.call("slow", { ms: 5 }), 5);
  });

  test(`${protocol}: call() rejects with what the server answers instead of a result`, { timeout }, async (t) => {
    const methods = {
      teapot: () => Promise.reject(new RpcError(418, "I'm a teapot", { short: true })),
    };
    const client = await open(t, (await serve(t, { methods }))[protocol]);
    await assert.rejects(client.call("nope"), new RpcError(-32601, "Method not found"));
    await assert.rejects(client.call("teapot"), new RpcError(418, "I'm a teapot", { short: true }));
  });

  test(`${protocol}: many calls at once get their own results`, { timeout }, async (t) => {
    const client = await open(t, (await serve(t))[protocol]);
    const numbers = Array.from({ length: 1_000 }, (_, index) => index);
    assert.deepEqual(await Promise.all(numbers.map((number) => client.call("echo", [number]))), numbers);
    const naps = numbers.slice(0, 50).map((number) => 50 - number);
    assert.deepEqual(await Promise.all(naps.map((ms) => client.call("slow", [ms]))), naps);
  });

  test(`${protocol}: notify() runs a method and gets nothing, whatever it does`, { timeout }, async (t) => {
    const got: unknown[] = [];
    const methods = {
      ...METHODS,
      note: (params: unknown) => void got.push(params),
      fail: () => {
        throw new Error("nobody hears it");
      },
    };
    const { told, ...urls } = await serve(t, { methods });
    const client = await open(t, urls[protocol]);
    await client.notify("note", [1]);
    await client.notify("nope");
    await client.notify("fail");
    await client.notify("note");
    await until(() => got.length === 2);
    assert.deepEqual(got, [[1], undefined]);
    assert.equal((await told("threw")).error.message, "nobody hears it");
    assert.equal(await client.call("add", [1, 2]), 3);
  });

  test(`${protocol}: batch() gives the outcomes in the order of its requests`, { timeout }, async (t) => {
    const client = await open(t, (await serve(t))[protocol]);
    const outcomes = await client.batch([
      { method: "slow", params: [30] },
      { method: "add", params: [1, 2], isNotification: true },
      { method: "nope" },
      { method: "add", params: [1, 2] },
    ]);
    assert.deepEqual(outcomes, [
      { status: "fulfilled", value: 30 },
      { status: "fulfilled", value: undefined },
      { status: "rejected", reason: new RpcError(-32601, "Method not found") },
      { status: "fulfilled", value: 3 },
    ] satisfies Outcome[]);
    assert.deepEqual(await client.batch([]), []);
    const notified = await client.batch([{ method: "add", isNotification: true }]);
    assert.deepEqual(notified, [{ status: "fulfilled", value: undefined }]);
    const many = await client.batch(Array.from({ length: 1_000 }, (_, index) => ({ method: "echo", params: [index] })));
    assert.deepEqual(
      many.map((outcome) => outcome.status === "fulfilled" && outcome.value),
      Array.from({ length: 1_000 }, (_, index) => index),
    );
    await assert.rejects(client.batch(Array.from({ length: 1_001 }, () => ({ method: "echo" }))), {
      name: "RangeError",
      message: "Cannot send batch of 1001 requests: limit is 1000",
    });
  });

  test(`${protocol}: a call gives up after timeoutMs, and its late reply is nobody else's`, { timeout }, async (t) => {
    const urls = await serve(t);
    const client = await open(t, urls[protocol]);
    await assert.rejects(client.call("slow", [100], { timeoutMs: 20 }), {
      code: "ETIMEDOUT",
      message: `Cannot get reply from ${urls[protocol]}: none came in time`,
    });
    assert.equal(await client.call("slow", [120]), 120);
    const [late, next] = await Promise.all([
      client.batch(
        [
          { method: "slow", params: [200] },
          { method: "add", params: [1, 2] },
        ],
        { timeoutMs: 50 },
      ),
      client.call("echo", ["next"]),
    ]);
    assert.ok(late.every((outcome) => outcome.status === "rejected" && outcome.reason.code === "ETIMEDOUT"));
    assert.equal(next, "next");
  });

  test(`${protocol}: a call can be aborted before and while it waits`, { timeout }, async (t) => {
    const client = await open(t, (await serve(t))[protocol]);
    const reason = new Error("not interested any more");
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 50 }, () => client.call("slow", [1_000], { signal }));
    await client.call("echo", ["they are on their way"]);
    controller.abort(reason);
    for (const call of calls) await assert.rejects(call, reason);
    await assert.rejects(client.call("echo", ["?"], { signal }), reason);
    await assert.rejects(client.notify("echo", ["?"], { signal }), reason);
    assert.equal(await client.call("echo", ["next"]), "next");
    await client.close();
  });

  test(`${protocol}: connect() rejects at once with waitMs 0, after waitMs otherwise`, { timeout }, async () => {
    const url = (await freeUrls())[protocol === "http" ? 0 : 1];
    const refused = { code: "ECONNREFUSED" };
    await assert.rejects(connect(url, { waitMs: 0 }), refused);
    await assert.rejects(connect(url, { waitMs: 100 }), refused);
    const reason = new Error("changed my mind");
    const controller = new AbortController();
    const onEvent = () => controller.abort(reason);
    await assert.rejects(connect(url, { signal: controller.signal, onEvent }), reason);
  });

  test(`${protocol}: a call while nobody is there rejects when its time is over, and works when somebody comes`, {
    timeout,
  }, async (t) => {
    const first = await serve(t);
    const client = await open(t, first[protocol]);
    await first.server.close();
    await assert.rejects(client.call("add", [1, 2], { timeoutMs: 100 }), { code: /ENOTCONN|ECONNRESET/ });
    await assert.rejects(client.call("add", [1, 2], { timeoutMs: 100 }), { code: "ENOTCONN" });
    const pending = client.call("add", [1, 2]);
    await serve(t, { port: portOf(first.http), tcpPort: portOf(first.tcp) });
    assert.equal(await pending, 3);
  });

  test(`${protocol}: notify() rejects while nobody is there, and waits for somebody as long as it may take`, {
    timeout,
  }, async (t) => {
    const got: unknown[] = [];
    const methods = { ...METHODS, note: (params: unknown) => void got.push(params) };
    const first = await serve(t, { methods });
    const lost = signalled();
    const onEvent = ({ type }: ClientEvent) => void (type === "disconnected" && lost.resolve());
    const client = await open(t, first[protocol], { onEvent });
    await first.server.close();
    if (protocol === "tcp") await lost.promise;
    const nobody = {
      code: "ENOTCONN",
      message: `Cannot get reply from ${first[protocol]}: there was no connection in time`,
    };
    await assert.rejects(client.notify("note", ["lost"], { timeoutMs: 100 }), nobody);
    const [outcome] = await client.batch([{ method: "note", isNotification: true }], { timeoutMs: 100 });
    assert.equal(outcome?.status === "rejected" && outcome.reason.code, "ENOTCONN");
    const pending = client.notify("note", ["late"]);
    await serve(t, { methods, port: portOf(first.http), tcpPort: portOf(first.tcp) });
    await pending;
    await until(() => got.length > 0);
    assert.deepEqual(got, [["late"]]);
  });

  test(`${protocol}: close() of the client lets replies that are owed come, then refuses`, { timeout }, async (t) => {
    const client = await connect((await serve(t))[protocol]);
    const owed = client.call("slow", [50]);
    await Promise.all([client.close(), client.close()]);
    assert.equal(await owed, 50);
    await assert.rejects(client.call("add", [1, 2]), { code: "EPIPE" });
    await assert.rejects(client.notify("add", [1, 2]), { code: "EPIPE" });
    await assert.rejects(client.batch([{ method: "add" }]), { code: "EPIPE" });
  });

  test(`${protocol}: close() of the client cuts off after graceMs`, { timeout }, async (t) => {
    const client = await connect((await serve(t, { graceMs: 50 }))[protocol], { graceMs: 50 });
    const hopeless = assert.rejects(client.call("slow", [10_000]), { code: "ECONNRESET" });
    await client.close();
    await hopeless;
  });

  test(`${protocol}: close() of the server answers what it has begun, and cuts off after graceMs`, {
    timeout,
  }, async (t) => {
    const begun = signalled();
    const methods = {
      begin() {
        begun.resolve();
        return sleep(50, "begun");
      },
    };
    const { server, ...urls } = await serve(t, { methods });
    const client = await open(t, urls[protocol]);
    const call = client.call("begin");
    await begun.promise;
    await Promise.all([server.close(), server.close()]);
    assert.equal(await call, "begun");
    await assert.rejects(connect(urls[protocol], { waitMs: 0 }), { code: "ECONNREFUSED" });

    const isStuck = signalled();
    const stuck = await serve(t, {
      methods: {
        stuck() {
          isStuck.resolve();
          return new Promise(() => {});
        },
      },
      graceMs: 50,
    });
    const waiting = await open(t, stuck[protocol]);
    const cut = assert.rejects(waiting.call("stuck"), { code: "ECONNRESET" });
    await isStuck.promise;
    await stuck.server.close();
    await cut;
  });

  test(`${protocol}: what is on its way is bounded`, { timeout }, async (t) => {
    const client = await open(t, (await serve(t))[protocol], { maxInFlightBytes: 1_000, maxFrameBytes: 2_000 });
    const first = client.call("slow", { ms: 50, ...{} });
    await assert.rejects(client.call("echo", ["x".repeat(900)]), { code: "ENOBUFS", maxInFlightBytes: 1_000 });
    await first;
    assert.equal(await client.call("echo", ["x".repeat(500)]), "x".repeat(500));
    await assert.rejects(client.call("echo", ["x".repeat(2_000)]), {
      code: "ERR_FRAME_TOO_LARGE",
      maxFrameBytes: 2_000,
    });
  });
}

test("parameters that do not fit are -32602 and say why", { timeout }, async (t) => {
  const client = await open(t, (await serve(t))["tcp"]);
  const cases: [method: string, params: unknown[] | Record<string, unknown> | undefined, why: string][] = [
    ["add", undefined, "a is missing"],
    ["add", [1], "b is missing"],
    ["add", [1, 2, 3], "it takes a, b"],
    ["add", [1, "2"], 'b must be {"type":"number"}'],
    ["add", [1, null], 'b must be {"type":"number"}'],
    ["add", { a: 1, B: 2 }, "b is missing"],
    ["add", { a: 1, b: 2, c: 3 }, "it takes a, b"],
    ["add", JSON.parse('{"a":1,"__proto__":{"b":2}}'), "b is missing"],
    ["add", JSON.parse('{"a":1,"b":2,"__proto__":{}}'), "it takes a, b"],
    ["add", { a: 1, b: 2, constructor: 3 }, "it takes a, b"],
    ["add", [1e308, 1e308], "the result is above 1.8e308"],
    ["sum", [1, "2"], 'numbers must be {"type":"array","items":{"type":"number"}}'],
    ["sum", {}, "numbers is missing"],
    ["slow", [-1], 'ms must be {"type":"integer","minimum":0,"maximum":60000}'],
    ["slow", [1e9], 'ms must be {"type":"integer","minimum":0,"maximum":60000}'],
  ];
  for (const [method, params, why] of cases) {
    await assert.rejects(client.call(method, params), new RpcError(-32602, "Invalid params", why), why);
  }
  assert.deepEqual(Object.keys(Object.prototype), []);
});

test("a method that throws tells its caller nothing, and the log everything", { timeout }, async (t) => {
  const secret = "postgres://admin:hunter2@db";
  const broken = {
    sync() {
      throw Object.assign(new Error(secret), { code: -1, data: secret, secret });
    },
    async: () => Promise.reject(new TypeError(secret)),
    text: () => Promise.reject(secret),
    nothing: () => Promise.reject(Object.create(null)),
    system: () => Promise.reject(Object.assign(new Error(secret), { code: "ENOENT", path: secret })),
    half: () => Promise.reject(new RpcError(1.5, secret)),
    bigint: () => ({ secret, value: 1n }),
    endless() {
      const value: unknown[] = [secret];
      value.push(value);
      return value;
    },
    // biome-ignore lint/suspicious/noThenProperty: what is awaited may be of any make.
    thenable: () => ({ then: thrower(secret) }),
  };
  const { http, tcp, events } = await serve(t, { methods: broken });
  const names = Object.keys(broken);
  for (const method of names) {
    const call = JSON.stringify({ jsonrpc: "2.0", method, id: 7 });
    const expected = '{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"Internal error"}}';
    assert.equal((await post(http, call)).text, expected, method);
    assert.deepEqual(await sendLines(t, tcp, `[${call},${call}]`), [`[${expected},${expected}]`], method);
  }
  const threw = events.flatMap((event) => (event.type === "threw" ? [event.method] : []));
  assert.deepEqual(
    threw,
    names.flatMap((name) => [name, name, name]),
  );
});

test("a result that is too large is -32603; in a batch the others come all the same", { timeout }, async (t) => {
  const methods = { large: () => "é".repeat(400), small: () => 1 };
  const { tcp, told } = await serve(t, { methods, maxFrameBytes: 1_000 });
  const client = await open(t, tcp);
  assert.equal(await client.call("large"), "é".repeat(400));
  const [first, second, third] = await client.batch(["large", "large", "small"].map((method) => ({ method })));
  assert.equal(first?.status, "fulfilled");
  assert.deepEqual(second, { status: "rejected", reason: new RpcError(-32603, "Internal error") });
  assert.deepEqual(third, { status: "fulfilled", value: 1 });
  assert.match((await told("threw")).error.message, /above the limit of 1000 bytes/);
});

test("rpc.discover gives an OpenRPC document that its schema accepts", { timeout }, async (t) => {
  const methods = {
    ...METHODS,
    plain: () => 1,
    double: defineMethod({
      summary: "Doubles a number.",
      params: { number: { schema: { type: "number" }, is: (value): value is number => typeof value === "number" } },
      result: { name: "doubled", schema: { type: "number" } },
      handler: ({ number }) => 2 * number,
    }),
  };
  const { server, tcp } = await serve(t, { methods });
  const client = await open(t, tcp);
  assert.equal(await client.call("double", [21]), 42);
  const document = (await client.call("rpc.discover")) as { methods: { name: string }[]; servers: { url: string }[] };
  const validate = openRpcValidator();
  assert.ok(validate(document), JSON.stringify(validate.errors));
  assert.deepEqual(
    document.methods.map(({ name }) => name),
    ["add", "subtract", "sum", "echo", "slow", "plain", "double"],
  );
  assert.deepEqual(
    document.servers.map(({ url }) => url),
    server.urls,
  );
  // It is the validator that decides: a hole in the document, or a schema that is none, does not pass.
  assert.ok(!validate({ ...document, info: undefined }));
  const [first] = document.methods;
  const wrong = { ...first, result: { name: "wrong", schema: { type: "nonsense" } } };
  assert.ok(!validate({ ...document, methods: [wrong] }));
});

/** The meta-schema of OpenRPC; for the schemas inside it has the address of JSON Schema, draft 7, elsewhere. */
function openRpcValidator() {
  // Its types tell of no value.
  const { default: exported } = openRpc as unknown as { default: { default: object } };
  const text = JSON.stringify(exported.default)
    .replaceAll("meta.json-schema.tools/#/definitions/JSONSchemaObject", "meta.json-schema.tools/#")
    .replaceAll(/https:\/\/meta\.json-schema\.tools\/?#?/g, "http://json-schema.org/draft-07/schema#");
  return new Ajv({ strict: false, logger: false }).compile(JSON.parse(text));
}

test("a method can stop when its caller is gone: over HTTP with the connection, over TCP when it is reset", {
  timeout,
}, async (t) => {
  const stopped: string[] = [];
  const begun: string[] = [];
  const methods = {
    wait: (_params: unknown, { signal, peer }: { signal: AbortSignal; peer: string }) => {
      begun.push(peer);
      return sleep(60_000, undefined, { signal, ref: false }).catch(() => void stopped.push(peer));
    },
  };
  const { http, tcp } = await serve(t, { methods, graceMs: 0 });
  const client = await open(t, http);
  await assert.rejects(client.call("wait", [], { timeoutMs: 100 }), { code: "ETIMEDOUT" });
  await until(() => stopped.length === 1);

  const socket = await dial(t, tcp);
  socket.write('{"jsonrpc":"2.0","method":"wait","id":1}\n');
  await until(() => begun.length === 2);
  socket.resetAndDestroy();
  await until(() => stopped.length === 2);
  assert.deepEqual(stopped, begun);
});

test("too many calls at once are -32000, told once", { timeout }, async (t) => {
  const { tcp, events } = await serve(t, { maxCalls: 10 });
  const client = await open(t, tcp);
  const outcomes = await client.batch(Array.from({ length: 15 }, () => ({ method: "slow", params: [50] })));
  const refused = outcomes.filter((outcome) => outcome.status === "rejected" && outcome.reason.code === -32000);
  assert.equal(refused.length, 5);
  assert.equal(await client.call("slow", [1]), 1);
  assert.deepEqual(
    events.filter(({ type }) => type === "busy"),
    [{ type: "busy", maxCalls: 10 }],
  );
});

test("startServer() rejects when either port is taken, and leaves nothing open", { timeout }, async (t) => {
  const { http, tcp } = await serve(t);
  const taken = { code: "EADDRINUSE" };
  await assert.rejects(startServer({ port: portOf(http) }), {
    ...taken,
    message: `Cannot listen on ${http}: the port is taken`,
  });
  const [freeHttp] = await freeUrls();
  await assert.rejects(startServer({ port: portOf(freeHttp), tcpPort: portOf(tcp) }), taken);
  const again = await startServer({ port: portOf(freeHttp) });
  await again.close();
});

test("limits, durations and addresses that make no sense are refused", { timeout }, async (t) => {
  const { tcp } = await serve(t);
  for (const options of [{ maxFrameBytes: 0 }, { maxBatch: 0 }, { maxCalls: 0.5 }, { maxInFlightBytes: Number.NaN }]) {
    await assert.rejects(startServer(options), RangeError);
    if (!("maxCalls" in options)) await assert.rejects(connect(tcp, options), RangeError);
  }
  for (const ms of [Number.NaN, -1, 3e9]) {
    await assert.rejects(startServer({ idleTimeoutMs: ms }), RangeError);
    await assert.rejects(startServer({ headersTimeoutMs: ms }), RangeError);
    await assert.rejects(connect(tcp, { timeoutMs: ms }), RangeError);
  }
  await assert.rejects(startServer({ host: "" }), TypeError);
  await assert.rejects(startServer({ port: 65_536 }), RangeError);
  for (const url of ["127.0.0.1:4000", "ws://127.0.0.1:4000", "http://127.0.0.1", "http://127.0.0.1:4000/rpc"]) {
    await assert.rejects(connect(url), { code: "ERR_INVALID_URL" }, url);
  }
  const client = await open(t, tcp);
  // As a program that is not type-checked would call it.
  const call = (params: unknown) => client.call("echo", params as unknown[]);
  for (const params of ["text", 1, null, true]) await assert.rejects(call(params), TypeError);
  await assert.rejects(call([1n]), TypeError);
  assert.equal(await client.call("echo", ["still here"]), "still here");
});

function thrower(text: string) {
  return () => {
    throw new Error(text);
  };
}
