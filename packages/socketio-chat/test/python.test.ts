import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "@ipc/core/testing";
import { come, serve } from "./support.ts";

const timeout = 30_000;
const run = promisify(execFile);
/** Debian's packages belong to Debian's Python. */
const PYTHON = "/usr/bin/python3";
const hasSocketIo = await run(PYTHON, ["-c", "import socketio"]).then(
  () => true,
  () => false,
);

/** A test with a client in another language; skipped by name where its library is not there. */
function pythonTest(name: string, run: (t: TestContext) => Promise<void>) {
  test(name, { timeout }, async (t) => {
    if (!hasSocketIo) return t.skip("needs python3-socketio");
    await run(t);
  });
}

for (const transports of ["websocket", "polling", "polling,websocket"]) {
  pythonTest(`python-socketio chats both ways by ${transports}`, async (t) => {
    const { url } = await serve(t);
    const ann = await come(t, url, { name: "Ann" });
    const python = run(PYTHON, [fileURLToPath(new URL("fixtures/chat.py", import.meta.url)), url, "Py", transports]);
    await ann.saw("message", ({ message }) => message.text === "hello from Py");
    await ann.client.say("hello, snake");
    await ann.client.whisper("Py", "psst");
    await ann.client.say("bye");
    const { stdout } = await python;
    const lines = stdout.trim().split("\n");
    for (const line of ["True", "1", "1 Py: hello from Py", "2 Ann: hello, snake", "to me: psst", "3 Ann: bye"]) {
      assert.ok(lines.includes(line), `${line} in ${stdout}`);
    }
  });
}

pythonTest("the Python of the README works", async (t) => {
  const { url } = await serve(t);
  const ann = await come(t, url, { name: "Ann" });
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const [, code = ""] = /```python\n([\s\S]*?)```/.exec(readme) ?? [];
  const { stdout } = await run(PYTHON, ["-c", code.replace("http://127.0.0.1:33000", url)]);
  assert.match(stdout, /\['Ann', 'Py'\]\n1\n/);
  await until(() => ann.texts().length === 1);
  assert.deepEqual(ann.texts(), ["Good day!"]);
});
