import assert from "node:assert/strict";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { findBinary, findFreePort, type ServiceOptions, startService } from "../src/services.ts";
import { connectTcp } from "../src/sockets.ts";

const timeout = 20_000;

/** A real program that listens where it is told, and writes into its folder. */
const SERVICE = `
  const { createServer } = require("node:net");
  require("node:fs").appendFileSync("starts", "x");
  console.log("folder", process.cwd());
  const greet = (socket) => socket.on("error", () => {}).end(process.env.GREETING);
  createServer(greet).listen(Number(process.argv[1]), "127.0.0.1");
`;

const options: ServiceOptions = {
  name: "Greeter",
  command: process.execPath,
  args: ({ port }) => ["-e", SERVICE, String(port)],
  env: ({ port }) => ({ GREETING: `Good day from ${port}` }),
};

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

test("startService() resolves when it accepts connections; close() ends it and removes its folder", {
  timeout,
}, async (t) => {
  const service = await startService(options);
  t.after(() => service.close());
  const { port } = new URL(service.url);
  assert.equal(await text(await connectTcp(service.url)), `Good day from ${port}`);
  const folder = /folder (.+)/.exec(service.output)?.[1] ?? "";
  assert.equal(await isThere(folder), true);
  await Promise.all([service.close(), service.close()]);
  assert.equal(await isThere(folder), false);
  await assert.rejects(connectTcp(service.url, { waitMs: 0 }), { code: "ECONNREFUSED" });
});

test("a service that was killed starts again on its port and its folder", { timeout }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "ipc-test-"));
  t.after(() => rm(folder, { recursive: true }));
  const port = await findFreePort();
  for (const starts of ["x", "xx"]) {
    const service = await startService({ ...options, folder, port });
    await service.kill();
    await service.close();
    assert.equal(await readFile(join(folder, "starts"), "utf8"), starts);
  }
});

test("startService() rejects with what the program printed when it ends instead", { timeout }, async () => {
  const args = () => ["-e", "console.error('no such luck'); process.exit(3)"];
  const failing = startService({ ...options, args });
  await assert.rejects(failing, { code: "ERR_SERVICE", message: "Cannot start Greeter: no such luck" });
  const missing = startService({ ...options, command: "/no/such/program" });
  await assert.rejects(missing, { code: "ERR_SERVICE", message: /^Cannot start Greeter: .*ENOENT/ });
});

test("startService() rejects when the program stays silent", { timeout }, async () => {
  const args = () => ["-e", "setTimeout(() => {}, 60_000)"];
  await assert.rejects(startService({ ...options, args, waitMs: 200 }), { code: "ERR_SERVICE" });
});

test("findBinary() finds the first name that is executable, in PATH and in folders of its own", {
  timeout,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "ipc-test-"));
  const path = process.env["PATH"] ?? "";
  t.after(async () => {
    process.env["PATH"] = path;
    await rm(folder, { recursive: true });
  });
  await writeFile(join(folder, "ipc-plain"), "", { mode: 0o644 });
  await writeFile(join(folder, "ipc-program"), "", { mode: 0o755 });
  assert.equal(await findBinary("ipc-program"), undefined);
  assert.equal(await findBinary("ipc-program", [folder]), join(folder, "ipc-program"));
  process.env["PATH"] = `${path}${delimiter}${folder}`;
  assert.equal(await findBinary(["ipc-plain", "ipc-program"]), join(folder, "ipc-program"));
});
