import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseAddress } from "../src/url.ts";
import { until } from "./support.ts";

test("a server that runs out of file descriptors survives, and serves again once some are free", {
  timeout: 60_000,
  skip: process.platform === "win32" && "there is no ulimit",
}, async (t) => {
  const file = fileURLToPath(new URL("fixtures/echo-server.ts", import.meta.url));
  const command = 'ulimit -n 64; exec "$0" --import tsx "$1"';
  const server = spawn("bash", ["-c", command, process.execPath, file], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => server.kill("SIGKILL"));
  const [line] = await once(createInterface({ input: server.stdout }), "line");
  const address = parseAddress(String(line).split(" ").at(-1) ?? "", "tcp");

  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const open = () => {
    const socket = connect(address).on("error", () => {});
    sockets.push(socket);
    return socket;
  };
  // Served or dropped: each of 300 hears one of both.
  const outcomes = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const socket = open();
      socket.write("ping\n");
      return await new Promise<string>((resolve) => {
        socket.once("data", () => resolve("served"));
        socket.once("close", () => resolve("dropped"));
      });
    }),
  );
  const served = outcomes.filter((outcome) => outcome === "served").length;
  t.diagnostic(`${served} served, ${300 - served} dropped`);
  assert.ok(served > 10 && served < 64, `${served} served`);
  assert.deepEqual([server.exitCode, server.signalCode], [null, null]);

  for (const socket of sockets) socket.destroy();
  await until(() => sockets.every(({ closed }) => closed));
  // The server hears of it when it comes to it: the first tries may still be dropped.
  let isAlive = false;
  for (const start = performance.now(); !isAlive && performance.now() - start < 1_000; ) {
    const socket = open();
    socket.write("alive?\n");
    isAlive = await new Promise<boolean>((resolve) => {
      socket.once("data", (chunk) => resolve(String(chunk) === "alive?\n"));
      socket.once("close", () => resolve(false));
    });
  }
  assert.ok(isAlive, "a normal exchange within 1 s");
  server.kill("SIGTERM");
  for (const socket of sockets) socket.destroy();
  assert.deepEqual(await once(server, "exit"), [0, null]);
});
