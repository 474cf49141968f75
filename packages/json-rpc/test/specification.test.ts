import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { METHODS } from "../src/index.ts";
import { post, sendLines, serve } from "./support.ts";

const timeout = 20_000;

/** What is sent, and what must come back: nothing where that is undefined. */
type Vector = readonly [name: string, sent: string, received: string | undefined];

const error = (code: number, message: string, id = "null", data?: string) =>
  `{"jsonrpc":"2.0","id":${id},"error":{"code":${code},"message":"${message}"${data === undefined ? "" : `,"data":"${data}"`}}}`;
const result = (value: string, id = "1") => `{"jsonrpc":"2.0","id":${id},"result":${value}}`;
const parseError = error(-32700, "Parse error");
const invalidRequest = error(-32600, "Invalid Request");
const notFound = (id: string) => error(-32601, "Method not found", id);

const tooLargeId = error(-32600, "Invalid Request", "null", "id is above 2^53 - 1");

/** The examples of section 7 of the specification, as they stand there. */
const EXAMPLES: readonly Vector[] = [
  ["positional 1", '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}', result("19")],
  ["positional 2", '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}', result("-19", "2")],
  [
    "named 1",
    '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
    result("19", "3"),
  ],
  [
    "named 2",
    '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
    result("19", "4"),
  ],
  ["notification 1", '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', undefined],
  ["notification 2", '{"jsonrpc": "2.0", "method": "foobar"}', undefined],
  ["non-existent method", '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', notFound('"1"')],
  ["invalid JSON", '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', parseError],
  ["invalid request", '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', invalidRequest],
  [
    "batch, invalid JSON",
    '[ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method" ]',
    parseError,
  ],
  ["empty array", "[]", invalidRequest],
  ["invalid batch, not empty", "[1]", `[${invalidRequest}]`],
  ["invalid batch", "[1,2,3]", `[${invalidRequest},${invalidRequest},${invalidRequest}]`],
  [
    "batch",
    `[ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
       {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
       {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
       {"foo": "boo"},
       {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
       {"jsonrpc": "2.0", "method": "get_data", "id": "9"} ]`,
    `[${result("7", '"1"')},${result("19", '"2"')},${invalidRequest},${notFound('"5"')},${result('["hello",5]', '"9"')}]`,
  ],
  [
    "batch of notifications",
    `[ {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
       {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]} ]`,
    undefined,
  ],
];

const call = (method: string, params: string, id = "1") =>
  `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${params},"id":${id}}`;
const inside = call("subtract", "[3,1]");

/** What the specification says, or leaves open, beside its examples. */
const EDGES: readonly Vector[] = [
  ["a null id is an id", call("echo", "[1]", "null"), result("1", "null")],
  ["a null id in a batch", `[${call("echo", "[1]", "null")}]`, `[${result("1", "null")}]`],
  ["an id is a text", call("echo", "[1]", '"a\\"b"'), result("1", '"a\\"b"')],
  ["an id is a fraction", call("echo", "[1]", "1.5"), result("1", "1.5")],
  ["an id is 0, which is not none", call("echo", "[1]", "0"), result("1", "0")],
  ["the largest id", call("echo", "[1]", "9007199254740991"), result("1", "9007199254740991")],
  ["an id that would come back as another", call("echo", "[1]", "9007199254740993"), tooLargeId],
  ["an id that no number can hold", `[${call("echo", "[1]", "-1e400")}]`, `[${tooLargeId}]`],
  ["two equal ids", `[${inside},${inside}]`, `[${result("2")},${result("2")}]`],
  ["an id is an object", call("echo", "[1]", "{}"), invalidRequest],
  ["an id is a boolean", call("echo", "[1]", "true"), invalidRequest],
  ["another version", '{"jsonrpc":"1.0","method":"echo","params":[1],"id":1}', invalidRequest],
  ["no version", '{"method":"echo","params":[1],"id":1}', invalidRequest],
  ["params are null", call("echo", "null"), invalidRequest],
  ["params are a text", call("echo", '"x"'), invalidRequest],
  ["an array in a batch", `[[${inside}],${inside}]`, `[${invalidRequest},${result("2")}]`],
  ["only an array in a batch", "[[]]", `[${invalidRequest}]`],
  ["JSON in JSON is not looked into", JSON.stringify(inside), invalidRequest],
  ["a bare null", "null", invalidRequest],
  ["nothing but blanks", "   ", parseError],
  ["a carriage return at its end", `${inside}\r`, result("2")],
  ["a bare NUL", call("echo", '["\u0000"]'), parseError],
  ["an escaped NUL", call("echo", '["\\u0000"]'), result('"\\u0000"')],
  ["a byte order mark", `\ufeff${inside}`, parseError],
  [
    "the last of two equal names counts",
    '{"jsonrpc":"2.0","method":"x","method":"echo","params":[1],"id":1}',
    result("1"),
  ],
  ["a name that is escaped", '{"jsonrpc":"2.0","method":"\\u0065cho","params":[1],"id":1}', result("1")],
  ["names are case-sensitive", call("Echo", "[1]"), notFound("1")],
  ["a method of the prototype: __proto__", call("__proto__", "[1]"), notFound("1")],
  ["a method of the prototype: constructor", call("constructor", "[1]"), notFound("1")],
  ["a method of the prototype: toString", call("toString", "[1]"), notFound("1")],
  ["a reserved name that is not there", call("rpc.x", "[1]"), notFound("1")],
  ["an empty name", call("", "[1]"), notFound("1")],
  [
    "what is echoed is echoed as it is",
    call("echo", '[{"__proto__":{"a":1},"constructor":null}]'),
    result('{"__proto__":{"a":1},"constructor":null}'),
  ],
  ["a result that is null", call("echo", "[null]"), result("null")],
  ["a lone surrogate", call("echo", '["\\ud800"]'), result('"\\ud800"')],
  ["more than ASCII", call("echo", '["é — 漢 🙂"]'), result('"é — 漢 🙂"')],
];

test("the specification's 15 examples over HTTP", { timeout }, (t) => overHttp(t, EXAMPLES));
test("the specification's 15 examples over TCP", { timeout }, (t) => overTcp(t, EXAMPLES));
test("what lies beside its examples over HTTP", { timeout }, (t) => overHttp(t, EDGES));
test("what lies beside its examples over TCP", { timeout }, (t) => overTcp(t, EDGES));

const methods = {
  ...METHODS,
  get_data: () => ["hello", 5],
  update: () => {},
  notify_hello: () => {},
  notify_sum: () => {},
};

async function overHttp(t: TestContext, vectors: readonly Vector[]) {
  const { http } = await serve(t, { methods });
  for (const [name, sent, received] of vectors) {
    const { status, headers, text } = await post(http, sent);
    assert.equal(text, received ?? "", name);
    assert.equal(status, received === undefined ? 204 : 200, name);
    if (received !== undefined) assert.equal(headers["content-type"], "application/json; charset=utf-8", name);
  }
  t.diagnostic(`${vectors.length} of ${vectors.length}`);
}

async function overTcp(t: TestContext, vectors: readonly Vector[]) {
  const { tcp } = await serve(t, { methods });
  for (const [name, sent, received] of vectors) {
    // On the wire a message is a line; where the specification breaks one for its readers, so much for them.
    const lines = await sendLines(t, tcp, sent.replaceAll("\n", " "));
    assert.deepEqual(lines, received === undefined ? [] : [received], name);
  }
  t.diagnostic(`${vectors.length} of ${vectors.length}`);
}
