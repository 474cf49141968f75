/** The page: rooms beside each other, one of them looked at. */
import { startComposer, writeTo } from "./composer.js";
import { byId, element, fill, nameOf } from "./elements.js";
import { appendEntry, showEntries } from "./message-list.js";
import { askName, storedSelf } from "./name-dialog.js";
import { parseRoom } from "./protocol.js";
import { openRoom } from "./room.js";

/** @type {Map<string, ReturnType<typeof openRoom>>} */
const rooms = new Map();
let current;
let myName = "";

const owner = {
  onEntry(room, entry, isMessage) {
    if (room === current) appendEntry(entry, isMessage);
    if (isMessage && (room !== current || document.hidden)) room.unread++;
  },
  onChange: () => show(),
  async onExpelled(room, why) {
    myName = await askName(`You are out of ${room.name}: ${why}.`);
    rooms.delete(room.name);
    void room.close();
    await enter(room.name);
  },
};

async function enter(name) {
  const open = rooms.get(name);
  if (open) return look(open);
  const room = openRoom(name, storedSelf().session, owner);
  rooms.set(name, room);
  look(room);
  try {
    await room.conversation.join(name, myName);
  } catch (refusal) {
    rooms.delete(name);
    await room.close();
    myName = await askName(`${refusal.message[0].toUpperCase()}${refusal.message.slice(1)}.`);
    return enter(name);
  }
  return remember();
}

async function leave(room) {
  rooms.delete(room.name);
  if (current === room) look([...rooms.values()][0]);
  show();
  remember();
  await room.close();
}

function look(room) {
  current = room;
  room.unread = 0;
  writeTo("");
  showEntries(room.entries);
  show();
}

function remember() {
  sessionStorage.setItem("rooms", JSON.stringify([...rooms.keys()]));
}

function show() {
  const unread = [...rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  document.title = unread > 0 ? `(${unread}) Chat` : "Chat";
  if (!current) return;
  fill(byId("rooms"), [...rooms.values()].map(roomItem));
  byId("room-title").textContent = `# ${current.name}`;
  byId("me").replaceChildren(...(current.me ? ["you are ", nameOf(current.me)] : []));
  fill(byId("people"), current.people.map(personItem));
  byId("count").textContent = String(current.people.length);
  byId("typing").textContent = describeTyping([...current.typing.keys()]);
  const isHere = current.state === "here";
  byId("connection").textContent = isHere
    ? "connected"
    : current.state === "connecting"
      ? "connecting"
      : "not connected";
  byId("connection").className = isHere ? "on" : "off";
  byId("banner").hidden = current.state !== "away";
  byId("banner").textContent = "The connection is lost. Trying again; what you write is sent then.";
}

function roomItem(room) {
  const label = element("button", "room", element("span", "", `# ${room.name}`));
  label.type = "button";
  if (room === current) label.setAttribute("aria-current", "page");
  if (room.unread > 0) {
    const badge = element("span", "badge", String(room.unread));
    badge.append(element("span", "unseen", " unread"));
    label.append(badge);
  }
  label.onclick = () => look(room);
  const item = element("li", "", label);
  if (rooms.size > 1) {
    const close = element("button", "close", "✕");
    close.type = "button";
    close.setAttribute("aria-label", `Leave ${room.name}`);
    close.onclick = () => void leave(room);
    item.append(close);
  }
  return item;
}

function personItem(name) {
  const isMe = name === current.me;
  const person = element(isMe ? "span" : "button", "person", nameOf(name), ...(isMe ? [" (you)"] : []));
  if (!isMe) {
    person.type = "button";
    person.title = `Write to ${name} only`;
    person.onclick = () => writeTo(name);
  }
  return element("li", "", person);
}

function describeTyping(names) {
  if (names.length === 0) return "";
  return names.length === 1 ? `${names[0]} is typing…` : `${names.length} people are typing…`;
}

byId("open-room").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId("room-name");
  try {
    void enter(parseRoom(input.value.trim().replace(/^#\s*/, "").replace(/\s+/g, "-")));
    input.value = "";
    input.removeAttribute("aria-invalid");
  } catch {
    input.setAttribute("aria-invalid", "true");
  }
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && current) current.unread = 0;
  show();
});
startComposer({
  onSend: (text, to) => current.say(text, to),
  onTyping: (isTyping) => current.conversation.typing(isTyping),
});
// Beside the messages where there is room for it.
const isWide = matchMedia("(min-width: 52rem)");
const openWho = () => byId("who").toggleAttribute("open", isWide.matches);
isWide.addEventListener("change", openWho);
openWho();

myName = storedSelf().name || (await askName());
const before = JSON.parse(sessionStorage.getItem("rooms") ?? "[]");
const [first = "lobby", ...others] = before;
for (const name of [...others, first]) await enter(name);
