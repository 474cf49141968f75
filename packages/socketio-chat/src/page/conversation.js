// @ts-check
/**
 * One client's part in one room, over a socket that comes and goes: what it says arrives once, what others say is given in
 * order and once, and what was missed during a cut is fetched from the history. The terminal client and the page both use it.
 *
 * @module
 */

import { createOutbox, errorOf, pause } from "./outbox.js";
import { isHistory, isJoined as isJoinedAnswer, isMessage, isNotice, isNow, isWhisper } from "./protocol.js";
import { createTimeline } from "./timeline.js";

/** @import { Message, Whisper, Notice, Refusal } from "./protocol.js" */

/**
 * What happens in a conversation.
 *
 * @typedef {{ type: "message", message: Message, isLive: boolean }} MessageEvent Somebody said something; not live: it is from the history.
 * @typedef {{ type: "whisper", whisper: Whisper }} WhisperEvent
 * @typedef {{ type: "notice", notice: Notice }} NoticeEvent
 * @typedef {{ type: "people", people: string[] }} PeopleEvent Who is here now.
 * @typedef {{ type: "typing", name: string, isTyping: boolean }} TypingEvent
 * @typedef {{ type: "joined", room: string, name: string, people: string[] }} JoinedEvent For the first time.
 * @typedef {{ type: "resumed", missed: number, gone: number, isLost: boolean }} ResumedEvent Back after a cut. `gone` of what was missed is not kept any more; lost: the server knows nothing of before.
 * @typedef {{ type: "disconnected", reason: string }} DisconnectedEvent It tries again by itself.
 * @typedef {{ type: "expelled", refusal: Refusal }} ExpelledEvent The room cannot be come back to under this name.
 * @typedef {MessageEvent | WhisperEvent | NoticeEvent | PeopleEvent | TypingEvent | JoinedEvent | ResumedEvent | DisconnectedEvent | ExpelledEvent} ConversationEvent
 */

/**
 * The part of a Socket.IO client's socket that is used.
 *
 * @typedef {object} SocketLike
 * @property {boolean} connected
 * @property {() => unknown} connect
 * @property {() => unknown} disconnect
 * @property {(event: any, listener: (...args: any[]) => void) => unknown} on
 * @property {(event: any, ...args: any[]) => unknown} emit
 * @property {(ms: number) => { emitWithAck(event: any, ...args: any[]): Promise<any> }} timeout
 */

/**
 * @typedef {object} Settings
 * @property {string} session A secret of this client's, by which its name is its own after a cut.
 * @property {() => string} createId Gives an id to each message.
 * @property {number} [ackMs] How long to wait for an answer before asking again.
 * @property {(event: ConversationEvent) => void} onEvent
 */

/**
 * @typedef {object} Conversation
 * @property {(room: string, name: string) => Promise<void>} join For one who is in no room. Rejects with a `code` when it is refused.
 * @property {(text: string) => Promise<number>} say Resolves with its number when the server has it. Rejects with a `code` when it is refused.
 * @property {(to: string, text: string) => Promise<void>} whisper Resolves when the other one has it.
 * @property {(isTyping: boolean) => void} typing
 * @property {() => string[]} people Who is here.
 * @property {(graceMs?: number) => Promise<void>} leave Sends what waits, at most so long, says that it leaves, and disconnects.
 */

/** @param {SocketLike} socket @param {Settings} settings @returns {Conversation} */
export function createConversation(socket, { session, createId, ackMs = 5_000, onEvent }) {
  /** @type {{ room: string, name: string } | undefined} */
  let place;
  /** @type {{ resolve(): void, reject(error: unknown): void } | undefined} */
  let entering;
  let isComing = false;
  let isJoined = false;
  let isFetching = false;
  let isOver = false;
  /** @type {Set<string>} */
  let people = new Set();
  /** @type {Map<string, boolean>} Who came and who went while the answer to our own coming is on its way. */
  const news = new Map();
  const timeline = createTimeline((message, isLive) => onEvent({ type: "message", message, isLive }));
  const outbox = createOutbox({ createId, ask, isOpen: () => isJoined });

  socket.on("connect", () => void comeBack());
  socket.on("disconnect", (/** @type {string} */ reason) => {
    isJoined = false;
    timeline.pause();
    if (isOver) return;
    onEvent({ type: "disconnected", reason });
    // By itself Socket.IO only comes back where the server did not mean it.
    if (reason === "io server disconnect") expel({ ok: false, code: "ERR_EXPELLED", message: ELSEWHERE });
  });
  socket.on("notice", (/** @type {unknown} */ notice) => {
    if (!isNotice(notice)) return;
    const { kind, name = "" } = notice;
    if (kind === "greeting" && timeline.epoch !== "") return;
    onEvent({ type: "notice", notice });
    if (kind !== "joined" && kind !== "left") return;
    news.set(name, kind === "joined");
    if (isJoined) countPeople();
  });
  socket.on("typing", (/** @type {Partial<{ name: string, isTyping: boolean }> | undefined} */ typing) => {
    onEvent({ type: "typing", name: String(typing?.name), isTyping: typing?.isTyping === true });
  });
  socket.on("whisper", (/** @type {unknown} */ whisper, /** @type {unknown} */ ack) => {
    if (!isWhisper(whisper)) return;
    if (timeline.isNew(whisper.id)) onEvent({ type: "whisper", whisper });
    if (typeof ack === "function") ack(true);
  });
  socket.on("message", (/** @type {unknown} */ message) => {
    if (!isMessage(message)) return;
    timeline.take(message);
    if (timeline.hasGap) void fetchMissing();
  });
  socket.on("now", (/** @type {unknown} */ now) => {
    if (!isNow(now) || !isJoined) return;
    people = new Set(now.people ?? people);
    countPeople();
    if (now.epoch !== timeline.epoch || now.last > timeline.last) void fetchMissing();
  });

  function countPeople() {
    for (const [name, isHere] of news) {
      if (isHere) people.add(name);
      else people.delete(name);
    }
    news.clear();
    onEvent({ type: "people", people: [...people] });
  }

  /** @param {string} event @param {object[]} payload @returns {Promise<any>} Nothing when no answer came. */
  async function ask(event, ...payload) {
    try {
      return await socket.timeout(ackMs).emitWithAck(event, ...payload);
    } catch {
      return undefined;
    }
  }

  async function comeBack() {
    if (isComing) return;
    isComing = true;
    while (place && !isJoined && socket.connected) {
      const { room, name } = place;
      news.clear();
      const answer = await ask("join", { room, name, session, epoch: timeline.epoch, after: timeline.last });
      if (isJoinedAnswer(answer)) comeIn(answer);
      else if (answer?.retryAfterMs) await pause(answer.retryAfterMs);
      else if (answer) expel(answer);
    }
    isComing = false;
  }

  /** @param {import("./protocol.js").Joined} answer */
  function comeIn({ room, name, people: names, ...history }) {
    const isFirst = timeline.epoch === "";
    place = { room, name };
    people = new Set(names);
    isJoined = true;
    if (isFirst) onEvent({ type: "joined", room, name, people: names });
    const resumed = timeline.catchUp(history);
    if (!isFirst) onEvent({ type: "resumed", ...resumed });
    countPeople();
    entering?.resolve();
    entering = undefined;
    if (timeline.hasGap) void fetchMissing();
    void outbox.send();
  }

  /** @param {Refusal} refusal */
  function expel(refusal) {
    place = undefined;
    if (entering) entering.reject(errorOf(refusal));
    else onEvent({ type: "expelled", refusal });
    entering = undefined;
  }

  /** There is a gap: its messages went to nobody, or are still on their way. */
  async function fetchMissing() {
    if (isFetching) return;
    isFetching = true;
    while (isJoined && !(await fetchHistory()));
    isFetching = false;
  }

  /** @returns {Promise<boolean>} Whether there is nothing more to fetch. */
  async function fetchHistory() {
    const history = await ask("history", { epoch: timeline.epoch, after: timeline.last });
    if (!isJoined || !isHistory(history)) {
      await pause(history?.retryAfterMs ?? 100);
      return false;
    }
    const resumed = timeline.catchUp(history);
    if (resumed.isLost || resumed.gone > 0) onEvent({ type: "resumed", ...resumed });
    return !timeline.hasGap;
  }

  return {
    join(room, name) {
      if (place)
        return Promise.reject(errorOf({ code: "ERR_JOINED", message: `this is ${place.name} in ${place.room}` }));
      return new Promise((resolve, reject) => {
        place = { room, name };
        entering = { resolve, reject };
        // After having been sent away it is not.
        if (!socket.connected) socket.connect();
        void comeBack();
      });
    },
    say: async (text) => (await outbox.put("say", { text })).seq,
    whisper: async (to, text) => void (await outbox.put("whisper", { to, text })),
    typing: (isTyping) => isJoined && void socket.emit("typing", { isTyping }),
    people: () => [...people],
    async leave(graceMs = 3_000) {
      isOver = true;
      await outbox.close(graceMs);
      // Politely, but not for longer than that: a server that cannot answer finds out by itself.
      const isGone = isJoined && socket.timeout(graceMs).emitWithAck("leave");
      await Promise.resolve(isGone).catch(() => {});
      isJoined = false;
      place = undefined;
      socket.disconnect();
    },
  };
}

const ELSEWHERE = "this name goes on elsewhere, or too much was sent";
