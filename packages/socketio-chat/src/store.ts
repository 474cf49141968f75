import { randomUUID } from "node:crypto";
import type { History, Message } from "./page/protocol.js";

/** Where the history of the rooms lives: in memory here, in Redis in `redis-store.ts`. */
export interface Store {
  /**
   * Numbers a message and keeps it, in place of the oldest where there are too many.
   * @returns the one that is kept already where there is one with its id: a sender that tries again makes no second.
   */
  append(room: string, draft: Omit<Message, "seq">): Promise<Message>;
  /** What came after a number of an epoch; of another epoch than the room's: all that is kept. */
  read(room: string, from: From): Promise<History>;
}

/** From where on a history is read. */
export interface From {
  epoch: string;
  after: number;
}

interface Log {
  epoch: string;
  last: number;
  messages: Message[];
  byId: Map<string, Message>;
}

/**
 * A history that is gone with the process: the next one begins a new epoch. Of more than `maxRooms` the one that was quiet for
 * longest gives way.
 */
export function createMemoryStore(keepMessages: number, maxRooms: number): Store {
  const logs = new Map<string, Log>();

  function logOf(room: string): Log {
    const log = logs.get(room) ?? { epoch: randomUUID(), last: 0, messages: [], byId: new Map() };
    // A Map keeps its order: the one that was used last is at the end.
    logs.delete(room);
    logs.set(room, log);
    const [quietest] = logs.keys();
    if (logs.size > maxRooms && quietest !== undefined) logs.delete(quietest);
    return log;
  }

  return {
    append(room, draft) {
      const log = logOf(room);
      const known = log.byId.get(draft.id);
      if (known) return Promise.resolve(known);
      const message = { seq: ++log.last, ...draft };
      log.messages.push(message);
      log.byId.set(message.id, message);
      const forgotten = log.messages.at(-1 - keepMessages);
      if (forgotten) log.byId.delete(forgotten.id);
      // A half at a time: to move the rest down for each message would cost more than the message.
      if (log.messages.length >= 2 * keepMessages) log.messages = log.messages.slice(-keepMessages);
      return Promise.resolve(message);
    },
    read(room, from) {
      const { epoch, last, messages } = logOf(room);
      return Promise.resolve(cutHistory(epoch, last, messages.slice(-keepMessages), from));
    },
  };
}

/** Of what is kept, what was asked for. */
export function cutHistory(epoch: string, last: number, kept: Message[], from: From): History {
  const after = from.epoch === epoch && from.after <= last ? from.after : 0;
  const first = kept[0]?.seq ?? last + 1;
  // Somebody who was never here has missed nothing.
  const gone = from.epoch === epoch ? Math.max(0, first - 1 - after) : 0;
  return { epoch, last, gone, messages: kept.slice(Math.max(0, after + 1 - first)) };
}
