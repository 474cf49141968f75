/**
 * One client, in front of whatever is measured: a pool of undici with as many connections as there are posts in flight.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { type Child, startProgram } from "@ipc/core/child";
import { Pool } from "undici";
import { type VariantSetup, wrongResult } from "../../src/bench/variant.ts";
import { measureLoad } from "../tcp-echo/load.ts";

const WARM_UP_MS = 3_000;
const BODY = JSON.stringify({ one: 1, two: 2 });

/** `inFlight`, `sink` (a program; the bare one), `relay` (a program; none), `pipelining` (of our relay). */
export const setup: VariantSetup = async ({ inFlight, sink = "bare-sink.ts", relay, pipelining = 1 }) => {
  const programs: Child[] = [];
  const start = async (file: string, ...args: string[]) => {
    const program = startProgram(new URL(file, import.meta.url), args);
    programs.unshift(program);
    return await program.ready;
  };
  const sinkUrl = await start(String(sink));
  const url = relay === undefined ? sinkUrl : await start(String(relay), sinkUrl, String(pipelining));
  const load = { messageBytes: BODY.length, inFlight: Number(inFlight) };
  const pool = new Pool(url, { connections: load.inFlight });
  // The JIT takes seconds until all of a relay is compiled: longer than the rounds that are discarded.
  await measureLoad(load, { forMs: WARM_UP_MS }, () => post(pool));
  return {
    pids: programs.map(({ pid }) => pid),
    measure: (request) => measureLoad(load, request, () => post(pool)),
    async close() {
      await pool.close();
      for (const program of programs) await program.stop();
    },
  };
};

async function post(pool: Pool): Promise<void> {
  const headers = { "content-type": "application/json", "idempotency-key": randomUUID() };
  const { statusCode, body } = await pool.request({ path: "/", method: "POST", headers, body: BODY });
  await body.dump();
  if (statusCode !== 200) throw wrongResult(`it answered ${statusCode}`);
}
