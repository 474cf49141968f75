import { connectTcp } from "@ipc/core/sockets";
import { tell } from "@ipc/core/tell";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import type { ServerOptions as IoOptions } from "socket.io";
import type { ServerSettings } from "./options.ts";
import type { People } from "./people.ts";
import { createRedisPeople } from "./redis-people.ts";
import { createRedisStore } from "./redis-store.ts";
import type { Store } from "./store.ts";

/** Where a chat lives: in one process, or in Redis for several. */
export interface Backend {
  store: Store;
  people: People;
  /** What brings a broadcast to the sockets of the other servers. */
  adapter?: IoOptions["adapter"];
  /** How often to look whether something was missed, in ms; 0: nothing can be. */
  refreshMs: number;
  close(): void;
}

const CONNECTION = {
  // A command that finds no Redis fails after about that many tries to reach it; clients try again by themselves.
  maxRetriesPerRequest: 3,
  retryStrategy: (tries: number) => Math.random() * Math.min(50 * 2 ** tries, 1_000),
};

/**
 * A chat of several servers: history and names in Redis, broadcasts by the Redis Streams adapter.
 *
 * @throws {Error} `ECONNREFUSED` and its like when it is not there within `waitMs`; `ERR_INVALID_URL`.
 */
export async function openRedis(url: string, { keepMessages, waitMs, onEvent }: ServerSettings): Promise<Backend> {
  const place = placeOf(url);
  (await connectTcp(`tcp://${place}`, { waitMs })).destroy();
  const connections: Redis[] = [];
  function open(): Redis {
    const redis = new HeardRedis(url, CONNECTION);
    // Without a listener every lost connection would be printed; that it is gone is told below.
    redis.on("error", ignore);
    connections.push(redis);
    return redis;
  }
  const data = open();
  // The adapter makes copies, one of which waits up to 5 s for news: closing is not to wait for it.
  const streams = Object.assign(open(), { duplicate: open });
  const closeAll = () => {
    for (const redis of connections) redis.disconnect();
  };
  await data.ping().catch((error) => {
    closeAll();
    throw error;
  });
  let isThere = true;
  function tellState(isNow: boolean): void {
    if (isNow !== isThere) tell(onEvent, { type: "redis", isThere: isNow, url: `redis://${place}` });
    isThere = isNow;
  }
  data.on("close", () => tellState(false)).on("ready", () => tellState(true));
  const people = createRedisPeople(data);

  return {
    store: createRedisStore(data, keepMessages),
    people,
    adapter: createAdapter(streams, { streamName: "chat:adapter", channelPrefix: "chat:adapter", onlyPlaintext: true }),
    refreshMs: 2_000,
    close() {
      data.removeAllListeners("close");
      people.close();
      closeAll();
    },
  };
}

/**
 * The adapter, and ioredis when it is back, subscribe and publish without looking what comes of it. That must not end the
 * process; whoever does look still learns of it.
 */
class HeardRedis extends Redis {
  override sendCommand(...[command, stream]: Parameters<Redis["sendCommand"]>): unknown {
    command.promise.catch(ignore);
    return super.sendCommand(command, stream);
  }
}

/** Host and port; never the password. */
function placeOf(url: string): string {
  const { protocol, hostname, port } = URL.canParse(url) ? new URL(url) : { protocol: "", hostname: "", port: "" };
  if (/^rediss?:$/.test(protocol) && hostname !== "") return `${hostname}:${port || 6_379}`;
  const text = "Cannot use the address of Redis: it is no URL such as redis://127.0.0.1:6379";
  throw Object.assign(new TypeError(text), { code: "ERR_INVALID_URL" });
}

function ignore() {}
