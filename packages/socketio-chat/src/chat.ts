import { tell } from "@ipc/core/tell";
import { answerEvents } from "./answer.ts";
import { type ChatSocket, channelOf, type Hall } from "./hall.ts";
import * as protocol from "./page/protocol.js";
import { refuse } from "./page/protocol.js";
import type { Person } from "./people.ts";

/** 3 s: whoever has not taken a private message by then is not there. */
const ACK_MS = 3_000;

/**
 * What one client may do: come in under a name, say something to a room or to one person, leave. The greeting comes first.
 */
export function welcome(socket: ChatSocket, hall: Hall): void {
  const { io, store, people, settings } = hall;
  let seat: { room: string; person: Person } | undefined;
  let isMoving = false;

  async function join(value: unknown) {
    const { room, name, session, ...from } = protocol.parseJoin(value);
    if (isMoving) throw refuse("ERR_BUSY", "the last join is not over", 100);
    isMoving = true;
    try {
      await standUp();
      const person = { name, session: session || socket.id, socket: socket.id };
      const before = await people.enter(room, person);
      seat = { room, person };
      await socket.join(channelOf(room));
      // One's own connection of before a cut: the server may not know yet that it is gone.
      if (before) io.in(before).disconnectSockets(true);
      else socket.to(channelOf(room)).emit("notice", { kind: "joined", name, text: `${name} has joined the chat!` });
      // Now that nothing is missed any more: who is here, and what was said.
      const names = await hall.whoIsHere(room);
      const history = await store.read(room, from);
      tell(settings.onEvent, { type: "joined", room, name, missed: from.epoch ? history.messages.length : 0 });
      if (!from.epoch) socket.emit("notice", { kind: "welcome", name, text: `Welcome ${name}!` });
      return { room, name, people: names, ...history };
    } finally {
      isMoving = false;
      // Gone while coming in: nobody would see it leave.
      if (!socket.connected) await standUp();
    }
  }

  async function leave() {
    await standUp();
    return {};
  }

  async function standUp(): Promise<void> {
    if (!seat) return;
    const { room, person } = seat;
    seat = undefined;
    await socket.leave(channelOf(room));
    if (await people.leave(room, person)) hall.sayLeft(room, person.name);
  }

  async function say(value: unknown) {
    const { room, person } = seated();
    const { id, text } = protocol.parseSay(value);
    const message = await store.append(room, { id, name: person.name, text, at: Date.now() });
    // One that is sent again goes out again: the server that had it first may have died before it told anybody.
    io.to(channelOf(room)).emit("message", message);
    return { seq: message.seq };
  }

  async function whisper(value: unknown) {
    const { room, person } = seated();
    const { id, to, text } = protocol.parseWhisper(value);
    const other = await people.find(room, to);
    if (!other) throw refuse("ERR_NOBODY", `there is nobody called ${to} here`);
    const sent = { id, from: person.name, to: other.name, text, at: Date.now() };
    const answers = await io.to(other.socket).timeout(ACK_MS).emitWithAck("whisper", sent).catch(nobody);
    if (answers.length === 0) throw refuse("ERR_AWAY", `${other.name} is away: not delivered`);
    return {};
  }

  function typing(value: unknown) {
    const { room, person } = seated();
    socket.to(channelOf(room)).emit("typing", { name: person.name, ...protocol.parseTyping(value) });
    return {};
  }

  function seated() {
    if (seat) return seat;
    throw refuse("ERR_NOT_JOINED", "say who you are first: join");
  }

  const history = async (value: unknown) => await store.read(seated().room, protocol.parseFrom(value));
  answerEvents(socket, hall, { join, leave, say, whisper, typing, history });

  socket.on("disconnect", () => {
    // Whoever comes back within that time has never left.
    if (seat) hall.later(settings.awayMs, standUp);
  });
  socket.emit("notice", { kind: "greeting", text: "Good day! What is your name?" });
}

/** No answer came in time. */
const nobody = () => [];
