/**
 * The same round trip between two C programs: what the system takes for itself.
 *
 * @module
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { startServer } from "@ipc/tcp-echo";
import { type VariantSetup, wrongResult } from "../../src/bench/variant.ts";

const run = promisify(execFile);

/** `messageBytes`. */
export const setup: VariantSetup = async ({ messageBytes }) => {
  const { port } = new URL(await freeUrl());
  const address = ["--tcp", "-i", "127.0.0.1", "-p", port];
  const server = spawn("sockperf", ["server", ...address], { stdio: ["ignore", "pipe", "inherit"] });
  await once(server.stdout, "data");
  return {
    pids: server.pid === undefined ? [] : [server.pid],
    async measure({ forMs }) {
      // Whole seconds are all it takes. What it starts inherits this process's core.
      const seconds = String(Math.max(1, Math.round(forMs / 1_000)));
      const args = ["ping-pong", ...address, "-m", String(messageBytes), "-t", seconds, "--full-rtt"];
      const { stdout } = await run("sockperf", args);
      const median = /percentile 50\.000\s*=\s*([\d.]+)/.exec(stdout)?.[1];
      if (median === undefined) throw wrongResult("sockperf prints no median");
      return Number(median);
    },
    async close() {
      const ended = once(server, "close");
      server.kill();
      await ended;
    },
  };
};

/** sockperf cannot choose a free port by itself. */
async function freeUrl(): Promise<string> {
  const server = await startServer();
  await server.close();
  return server.url;
}
