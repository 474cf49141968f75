import { tell } from "@ipc/core/tell";
import type { Server as IoServer, Socket as IoSocket } from "socket.io";
import type { ServerSettings } from "./options.ts";
import type { ClientEvents, ServerEvents } from "./page/protocol.js";
import type { People } from "./people.ts";
import type { Backend } from "./redis.ts";
import type { Store } from "./store.ts";

/** Socket.IO's server, typed. */
export type ChatServer = IoServer<ClientEvents, ServerEvents>;

/** One client's socket, typed. */
export type ChatSocket = IoSocket<ClientEvents, ServerEvents>;

/** What all sockets of one process share. */
export interface Hall {
  readonly io: ChatServer;
  readonly store: Store;
  readonly people: People;
  readonly settings: ServerSettings;
  /** It takes nothing any more. */
  readonly isClosing: boolean;
  /** The names of a room's people, for one who comes. */
  whoIsHere(room: string): Promise<string[]>;
  /** Tells a room that somebody has left it. */
  sayLeft(room: string, name: string): void;
  /** `close()` waits for it. */
  track(work: Promise<void>): void;
  /** Runs it after that time, unless the server closes first. */
  later(ms: number, work: () => Promise<void>): void;
  /** Takes nothing any more; resolves when all that is tracked is done. */
  close(): Promise<void>;
}

/** A room of the chat, beside those that Socket.IO makes for each socket's id. */
export const channelOf = (room: string): string => `#${room}`;

/** Opens the hall. */
export function openHall(io: ChatServer, { store, people, refreshMs }: Backend, settings: ServerSettings): Hall {
  const working = new Set<Promise<void>>();
  const timers = new Set<NodeJS.Timeout>();
  let isClosing = false;
  let told = new Map<string, { epoch: string; last: number; people: string[] }>();

  /** What no broadcast told: who went with their server, what happened while Redis was away. */
  async function refresh(): Promise<void> {
    const rooms = [...io.of("/").adapter.rooms.keys()].filter((name) => name.startsWith(channelOf("")));
    const before = told;
    told = new Map();
    for (const channel of rooms) {
      const room = channel.slice(1);
      const here = await hall.whoIsHere(room);
      const old = before.get(room) ?? { epoch: "", last: 0, people: [] };
      const { epoch, last } = await store.read(room, { epoch: old.epoch, after: old.last });
      const now = { epoch, last, people: here.sort() };
      told.set(room, now);
      // A thousand names for a thousand sockets: only when there is somebody else.
      const areSame = now.people.join("\n") === old.people.join("\n");
      if (areSame && epoch === old.epoch && last === old.last) continue;
      io.local.to(channel).emit("now", areSame ? { epoch, last } : now);
    }
  }
  // A Redis that is away is told once by its connection, not by every look.
  const refreshAgain = () => hall.later(refreshMs, () => refresh().catch(ignore).finally(refreshAgain));

  const hall: Hall = {
    io,
    store,
    people,
    settings,
    get isClosing() {
      return isClosing;
    },
    async whoIsHere(room) {
      const { here, gone } = await people.list(room);
      for (const name of gone) hall.sayLeft(room, name);
      return here;
    },
    sayLeft(room, name) {
      tell(settings.onEvent, { type: "left", room, name });
      io.to(channelOf(room)).emit("notice", { kind: "left", name, text: `${name} has left the chat.` });
    },
    track(work) {
      const done = work
        .catch((error) => tell(settings.onEvent, { type: "failed", error }))
        .finally(() => working.delete(done));
      working.add(done);
    },
    later(ms, work) {
      if (isClosing) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        hall.track(work());
      }, ms);
      timers.add(timer);
    },
    async close() {
      isClosing = true;
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(working);
    },
  };
  if (refreshMs > 0) refreshAgain();
  return hall;
}

function ignore() {}
