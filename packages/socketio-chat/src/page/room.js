/** One room that is open in this tab: a conversation over a connection of its own, and what is shown of it. */
import { io } from "/socket.io/socket.io.esm.min.js";
import { createConversation } from "./conversation.js";
import { messageEntry, noteEntry } from "./message-list.js";
import { createId } from "./name-dialog.js";

/** 5 s: who has not typed for so long has stopped. */
const TYPING_MS = 5_000;
const MOST_ENTRIES = 1_000;

/**
 * @param {string} name Of the room.
 * @param {string} session
 * @param {{ onEntry(room, entry: HTMLElement, isMessage: boolean): void, onChange(room): void, onExpelled(room, why: string): void }} owner
 */
export function openRoom(name, session, owner) {
  const socket = io({
    forceNew: true,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    reconnectionDelay: 200,
    reconnectionDelayMax: 2_000,
  });
  const room = {
    name,
    me: "",
    entries: [],
    unread: 0,
    people: [],
    /** @type {Map<string, number>} */
    typing: new Map(),
    state: "connecting",
    conversation: createConversation(socket, { session, createId, onEvent }),
    /** Shows a message at once, and takes it away when it comes back from the server. */
    async say(text, to) {
      const note = to ? `to ${to} only` : "sending";
      const entry = messageEntry({ name: room.me, text, at: Date.now() }, { isMine: true, isPrivate: to !== "", note });
      entry.classList.toggle("pending", !to);
      add(entry, false);
      try {
        await (to ? room.conversation.whisper(to, text) : room.conversation.say(text));
        if (!to) forget(entry);
      } catch (refusal) {
        forget(entry);
        throw refusal;
      }
    },
    async close() {
      await room.conversation.leave();
    },
  };

  socket.on("connect_error", () => changeTo("away"));

  const on = {
    message({ message, isLive }) {
      const isMine = message.name === room.me;
      showTyping(message.name, false);
      add(messageEntry(message, { isMine }), isLive && !isMine);
    },
    whisper({ whisper }) {
      add(messageEntry({ ...whisper, name: whisper.from }, { isPrivate: true, note: "to you only" }), true);
    },
    notice({ notice }) {
      if (notice.kind !== "greeting") add(noteEntry(notice.text), false);
    },
    typing({ name, isTyping }) {
      showTyping(name, isTyping);
    },
    people({ people }) {
      room.people = people;
    },
    joined({ name }) {
      room.me = name;
      room.state = "here";
    },
    resumed(event) {
      room.state = "here";
      add(noteEntry(describeResumed(event)), false);
    },
    disconnected() {
      room.state = "away";
    },
    expelled({ refusal }) {
      room.state = "out";
      owner.onExpelled(room, refusal.message);
    },
  };

  function onEvent(event) {
    on[event.type](event);
    owner.onChange(room);
  }

  function changeTo(state) {
    room.state = state;
    owner.onChange(room);
  }

  function showTyping(who, isTyping) {
    clearTimeout(room.typing.get(who));
    room.typing.delete(who);
    if (!isTyping) return;
    const stop = () => {
      room.typing.delete(who);
      owner.onChange(room);
    };
    room.typing.set(who, setTimeout(stop, TYPING_MS));
  }

  function add(entry, isMessage) {
    room.entries.push(entry);
    if (room.entries.length > MOST_ENTRIES) room.entries.shift();
    owner.onEntry(room, entry, isMessage);
  }

  function forget(entry) {
    room.entries = room.entries.filter((each) => each !== entry);
    entry.remove();
  }
  return room;
}

function describeResumed({ missed, gone, isLost }) {
  if (isLost) return "The history was lost: the server has started anew.";
  const lost = gone > 0 ? `; ${gone} more are not kept any more` : "";
  return `Back again: ${missed} ${missed === 1 ? "message" : "messages"} came meanwhile${lost}.`;
}
