import { foldName, refuse } from "./page/protocol.js";

/** Somebody in a room. */
export interface Person {
  name: string;
  /** The secret by which a name is one's own again after a cut. */
  session: string;
  /** The id of the socket by which they are reached. */
  socket: string;
}

/** Who is in which room: in memory here, in Redis in `redis-people.ts`. */
export interface People {
  /**
   * Takes a name in a room, or takes it over from one's own socket of before a cut.
   * @returns the socket that had it; empty for who was not here.
   * @throws {Error} `ERR_NAME_TAKEN`, `ERR_ROOM_FULL`.
   */
  enter(room: string, person: Person): Promise<string>;
  /** Gives the name back. @returns false when another socket has it meanwhile. */
  leave(room: string, person: Person): Promise<boolean>;
  /** Somebody by their name, in any case. */
  find(room: string, name: string): Promise<Person | undefined>;
  /** The names of all, and of those who went with their server since somebody asked. */
  list(room: string): Promise<{ here: string[]; gone: string[] }>;
}

/** 1,000: each that comes is told to all the others. */
export const MOST_PEOPLE = 1_000;

/** The people of one process. */
export function createMemoryPeople(maxRooms: number): People {
  const rooms = new Map<string, Map<string, Person>>();

  return {
    // Async: what it throws is a rejection, as from Redis.
    // biome-ignore lint/suspicious/useAwait: see above.
    async enter(room, person) {
      const people = rooms.get(room) ?? new Map<string, Person>();
      const key = foldName(person.name);
      const before = people.get(key);
      if (before && before.session !== person.session) throw nameTaken(person.name);
      if (!before && (people.size >= MOST_PEOPLE || (people.size === 0 && rooms.size >= maxRooms)))
        throw roomFull(room);
      rooms.set(room, people.set(key, person));
      return before?.socket ?? "";
    },
    leave(room, { name, socket }) {
      const people = rooms.get(room);
      const isOurs = people?.get(foldName(name))?.socket === socket;
      if (isOurs) people?.delete(foldName(name));
      if (people?.size === 0) rooms.delete(room);
      return Promise.resolve(isOurs);
    },
    find: (room, name) => Promise.resolve(rooms.get(room)?.get(foldName(name))),
    list: (room) => Promise.resolve({ here: [...(rooms.get(room)?.values() ?? [])].map(({ name }) => name), gone: [] }),
  };
}

/** Somebody else has that name. */
export function nameTaken(name: string): Error {
  return refuse("ERR_NAME_TAKEN", `there is somebody called ${name} in this room: take another name`);
}

/** There is no room for one more. */
export function roomFull(room: string): Error {
  return refuse("ERR_ROOM_FULL", `${room} is full: try another room`);
}
