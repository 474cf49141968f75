import type { Redis } from "ioredis";
import { foldName } from "./page/protocol.js";
import { MOST_PEOPLE, nameTaken, type People, type Person, roomFull } from "./people.ts";

/** How long a name outlives a server that was killed, in ms. */
const KEEP_MS = 6_000;
/** Three tries before a name is lost. */
const RENEW_MS = 2_000;

/** A key for each person, which expires by itself, beside the table of the room's names. */
const PUT = `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ${KEEP_MS})
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[2], 60)`;

/** Gives `taken`, `full`, or who had the name. */
const ENTER = `
local held = redis.call('GET', KEYS[1])
if held and cjson.decode(held).session ~= cjson.decode(ARGV[1]).session then return 'taken' end
if not held and redis.call('HLEN', KEYS[2]) >= ${MOST_PEOPLE} then return 'full' end${PUT}
return held`;

/** Unless another socket has it by now. */
const RENEW = `
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return end${PUT}`;

const LEAVE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return redis.call('HDEL', KEYS[2], ARGV[2])`;

/** Of the servers that look, the first one learns who has expired. */
const LIST = `
local found = {{}, {}}
local names = redis.call('HGETALL', KEYS[1])
for index = 1, #names, 2 do
  local isHere = redis.call('EXISTS', KEYS[1] .. ':' .. names[index]) == 1
  if not isHere then redis.call('HDEL', KEYS[1], names[index]) end
  table.insert(found[isHere and 1 or 2], names[index + 1])
end
return found`;

/** People that several servers know of. `close()` stops renewing what this one holds: those who come back have their names. */
export function createRedisPeople(redis: Redis): People & { close(): void } {
  const held = new Map<string, { room: string; person: Person }>();
  const renewing = setInterval(() => {
    // What cannot be renewed now is tried again before its time is over.
    for (const { room, person } of held.values()) void run(RENEW, room, person).catch(ignore);
  }, RENEW_MS);

  async function run(script: string, room: string, person: Person): Promise<unknown> {
    const { name } = person;
    return await redis.eval(script, 2, keyOf(room, name), namesOf(room), JSON.stringify(person), foldName(name), name);
  }

  return {
    async enter(room, person) {
      const found = await run(ENTER, room, person);
      if (found === "taken") throw nameTaken(person.name);
      if (found === "full") throw roomFull(room);
      held.set(person.socket, { room, person });
      return typeof found === "string" ? JSON.parse(found).socket : "";
    },
    async leave(room, person) {
      held.delete(person.socket);
      return (await run(LEAVE, room, person)) === 1;
    },
    async find(room, name) {
      const found = await redis.get(keyOf(room, name));
      return found === null ? undefined : JSON.parse(found);
    },
    async list(room) {
      const [here = [], gone = []] = (await redis.eval(LIST, 1, namesOf(room))) as string[][];
      return { here, gone };
    },
    close: () => clearInterval(renewing),
  };
}

/** In braces what decides about the node of a cluster: all of one room is on one. */
const namesOf = (room: string) => `chat:{${room}}:people`;
const keyOf = (room: string, name: string) => `${namesOf(room)}:${foldName(name)}`;

function ignore() {}
