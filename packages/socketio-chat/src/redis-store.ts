import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import type { Message } from "./page/protocol.js";
import { cutHistory, type Store } from "./store.ts";

/** 30 days: a room that is quiet for so long is forgotten. */
const FORGET_SECONDS = 30 * 86_400;

/**
 * Numbers and keeps a message in one step, so that of several servers none comes between. A list of messages, a table of their
 * ids, and the room's epoch with its last number.
 */
const APPEND = `
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then return known end
redis.call('HSETNX', KEYS[3], 'epoch', ARGV[4])
local message = '{"seq":' .. redis.call('HINCRBY', KEYS[3], 'last', 1) .. ',' .. string.sub(ARGV[2], 2)
redis.call('RPUSH', KEYS[1], message)
redis.call('HSET', KEYS[2], ARGV[1], message)
while redis.call('LLEN', KEYS[1]) > tonumber(ARGV[3]) do
  redis.call('HDEL', KEYS[2], cjson.decode(redis.call('LPOP', KEYS[1])).id)
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ${FORGET_SECONDS}) end
return message`;

const READ = `
redis.call('HSETNX', KEYS[2], 'epoch', ARGV[1])
redis.call('EXPIRE', KEYS[2], ${FORGET_SECONDS})
local room = redis.call('HMGET', KEYS[2], 'epoch', 'last')
local last = tonumber(room[2] or 0)
local first = 0
if room[1] == ARGV[2] and tonumber(ARGV[3]) <= last then
  first = math.max(0, redis.call('LLEN', KEYS[1]) - (last - tonumber(ARGV[3])))
end
return {room[1], last, redis.call('LRANGE', KEYS[1], first, -1)}`;

/** A history that outlives the servers. One epoch as long as Redis has its data. */
export function createRedisStore(redis: Redis, keepMessages: number): Store {
  const keys = (room: string) => [`chat:{${room}}:messages`, `chat:{${room}}:ids`, `chat:{${room}}:log`] as const;
  return {
    async append(room, draft) {
      const text = JSON.stringify(draft);
      return JSON.parse(String(await redis.eval(APPEND, 3, ...keys(room), draft.id, text, keepMessages, randomUUID())));
    },
    async read(room, from) {
      const [messages, , log] = keys(room);
      const found = await redis.eval(READ, 2, messages, log, randomUUID(), from.epoch, from.after);
      const [epoch, last, texts] = found as [string, number, string[]];
      const kept: Message[] = texts.map((text) => JSON.parse(text));
      return cutHistory(epoch, last, kept, from);
    },
  };
}
