/**
 * The server as it is, and two bare fastify routes, asked by the same client.
 *
 * @module
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProgram } from "@ipc/core/child";
import { Pool } from "undici";
import { type VariantSetup, wrongResult } from "../../src/bench/variant.ts";
import { requestsPerSecond } from "./load.ts";

/** `which`: `ours`, `bare` or `constant`. */
export const setup: VariantSetup = async ({ which }) => {
  const folder = await mkdtemp(join(tmpdir(), "bench-rest-api-"));
  const args = which === "constant" ? [] : ["--database", `file:${folder}/books.db`];
  const server = startProgram(which === "ours" ? OURS : BARE, args);
  const pool = new Pool(await server.ready, { connections: 50 });
  return {
    pids: [server.pid],
    measure: ({ forMs }) => requestsPerSecond(forMs, () => ask(pool)),
    async close() {
      await pool.close();
      await server.stop();
      await rm(folder, { recursive: true });
    },
  };
};

const OURS = new URL("./our-server.ts", import.meta.url);
const BARE = new URL("./bare-server.ts", import.meta.url);

async function ask(pool: Pool): Promise<void> {
  const { statusCode, body } = await pool.request({ method: "GET", path: "/books/emma" });
  const book = (await body.json()) as { title: unknown };
  if (statusCode !== 200 || book.title !== "Emma") throw wrongResult("the answer is another book");
}
