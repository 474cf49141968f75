import type { TestContext } from "node:test";
import { findBinary, type Service, startService } from "@ipc/core/services";

const command = await findBinary("redis-server");

/** Why a test cannot have a Redis; `undefined` when it can. */
export const noRedis = command === undefined ? "needs redis-server" : undefined;

/** A Redis of one test's own; what it keeps outlives `kill()` where a folder is given. */
export async function startRedis(t: TestContext, place: { port?: number; folder?: string } = {}): Promise<Service> {
  const redis = await startService({
    name: "Redis",
    command: command ?? "redis-server",
    args: ({ port, folder }) => [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "no"],
    ],
    ...place,
  });
  t.after(() => redis.close());
  return redis;
}

/** Its address for `redisUrl`. */
export function redisUrl({ url }: Service): string {
  return url.replace("tcp:", "redis:");
}
