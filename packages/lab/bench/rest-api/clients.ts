/**
 * Three clients of one server that does next to nothing.
 *
 * @module
 */
import { startProgram } from "@ipc/core/child";
import { connect } from "@ipc/rest-api";
import { Pool } from "undici";
import { type VariantSetup, wrongResult } from "../../src/bench/variant.ts";
import { requestsPerSecond } from "./load.ts";

/** `which`: `pool`, `ours` or `fetch`. */
export const setup: VariantSetup = async ({ which }) => {
  const server = startProgram(new URL("./constant-server.ts", import.meta.url));
  const url = await server.ready;
  const { ask, close } = await open(String(which), url);
  return {
    pids: [server.pid],
    measure: ({ forMs }) => requestsPerSecond(forMs, ask),
    async close() {
      await close();
      await server.stop();
    },
  };
};

async function open(which: string, url: string) {
  if (which === "ours") {
    const client = await connect(url);
    return { ask: async () => check(await client.get("emma")), close: () => client.close() };
  }
  if (which === "fetch") {
    const ask = async () => check(await (await fetch(`${url}/books/emma`)).json());
    return { ask, close: () => Promise.resolve() };
  }
  const pool = new Pool(url, { connections: 50 });
  const ask = async () => {
    const { body } = await pool.request({ method: "GET", path: "/books/emma" });
    check(await body.json());
  };
  return { ask, close: () => pool.close() };
}

function check(book: unknown): void {
  if ((book as { title: unknown }).title !== "Emma") throw wrongResult("the answer is another book");
}
