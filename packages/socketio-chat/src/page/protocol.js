// @ts-check
/**
 * What server, terminal client and page say to each other: the events, their types, their limits, and the parsers of what
 * a client sends. JavaScript with types in comments, so that a browser runs this very file.
 *
 * @module
 */

/** The most that is taken, in characters (UTF-16). */
export const LIMITS = /** @type {const} */ ({ name: 32, room: 32, text: 2_000, id: 64 });

/** @typedef {{ seq: number, id: string, name: string, text: string, at: number }} Message What somebody said: `seq` counts from 1 in its room, `at` is in ms since 1970. */
/** @typedef {{ id: string, from: string, to: string, text: string, at: number }} Whisper What somebody said to one person. */
/** @typedef {{ epoch: string, last: number, gone: number, messages: Message[] }} History What a room has after a number: `last` is the newest, `gone` of those asked for are not kept any more. Another `epoch` counts anew. */
/** @typedef {{ epoch: string, last: number, people?: string[] }} Now A room's last number, and who is there where that has changed. */
/** @typedef {{ kind: "greeting" | "welcome" | "joined" | "left" | "goodbye", name?: string, text: string }} Notice What nobody said. */
/** @typedef {{ ok: false, code: string, message: string, retryAfterMs?: number }} Refusal Why something was not done; `retryAfterMs` when it may be tried again as it was. */

/** @typedef {{ room: string, name: string, session: string, epoch: string, after: number }} Join */
/** @typedef {{ id: string, text: string }} Say */
/** @typedef {{ id: string, to: string, text: string }} WhisperTo */
/** @typedef {{ ok: true, room: string, name: string, people: string[] } & History} Joined */

/**
 * @template T
 * @typedef {(answer: ({ ok: true } & T) | Refusal) => void} Ack
 */

/**
 * What a client sends. Each gets an answer, by `ack`; who leaves `ack` out gets refusals as the event `refused`.
 *
 * @typedef {object} ClientEvents
 * @property {(join: { room: string, name: string, session?: string, epoch?: string, after?: number }, ack?: Ack<Joined>) => void} join Comes first. With `session`, a secret, a name is one's own again after a cut; with `epoch` and `after` the answer has what was missed.
 * @property {(say: Say, ack?: Ack<{ seq: number }>) => void} say The same `id` again is the same message.
 * @property {(whisper: WhisperTo, ack?: Ack<{}>) => void} whisper The answer comes when the other client has it.
 * @property {(typing: { isTyping: boolean }) => void} typing
 * @property {(from: { epoch: string, after: number }, ack?: Ack<History>) => void} history
 * @property {(ack?: Ack<{}>) => void} leave
 */

/**
 * What a server sends.
 *
 * @typedef {object} ServerEvents
 * @property {(notice: Notice) => void} notice
 * @property {(message: Message) => void} message
 * @property {(whisper: Whisper, ack: (isTaken: boolean) => void) => void} whisper
 * @property {(typing: { name: string, isTyping: boolean }) => void} typing
 * @property {(now: Now) => void} now With several servers: for who has missed something.
 * @property {(refusal: Refusal & { event: string }) => void} refused
 */

/** Another number than these is no number of a message. @param {unknown} value @returns {value is number} */
const isCount = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

/** @param {unknown} value @returns {Join} @throws {Error} what `refusalOf()` understands. */
export function parseJoin(value) {
  const { room, name, session = "", epoch = "", after = 0 } = fieldsOf(value);
  if (typeof session !== "string" || !/^[\w-]{0,64}$/.test(session)) throw refuse("ERR_JOIN", "session is no id");
  if (typeof epoch !== "string" || epoch.length > LIMITS.id || !isCount(after)) {
    throw refuse("ERR_JOIN", "epoch and after are not those of a history");
  }
  return { room: parseRoom(room), name: parseName(name), session, epoch, after };
}

/** @param {unknown} value @returns {Say} @throws {Error} what `refusalOf()` understands. */
export function parseSay(value) {
  const { id, text } = fieldsOf(value);
  return { id: parseId(id), text: parseText(text) };
}

/** @param {unknown} value @returns {WhisperTo} @throws {Error} what `refusalOf()` understands. */
export function parseWhisper(value) {
  const { id, to, text } = fieldsOf(value);
  return { id: parseId(id), to: parseName(to), text: parseText(text) };
}

/** @param {unknown} value @returns {{ isTyping: boolean }} */
export function parseTyping(value) {
  return { isTyping: fieldsOf(value)["isTyping"] === true };
}

/** @param {unknown} value @returns {{ epoch: string, after: number }} @throws {Error} what `refusalOf()` understands. */
export function parseFrom(value) {
  const { epoch, after } = fieldsOf(value);
  if (typeof epoch === "string" && epoch.length <= LIMITS.id && isCount(after)) return { epoch, after };
  throw refuse("ERR_HISTORY", "it takes an epoch and a number");
}

/**
 * A name: 1 to 32 visible characters. What cannot be seen is taken out, so that no two look the same that are not.
 *
 * @param {unknown} value
 * @returns {string}
 * @throws {Error} what `refusalOf()` understands.
 */
export function parseName(value) {
  if (typeof value !== "string" || value.length > 4 * LIMITS.name) throw badName();
  const name = value.normalize("NFC").replace(/\s+/gu, " ").replace(INVISIBLE, "").trim();
  const { length } = [...name];
  if (length < 1 || length > LIMITS.name || !VISIBLE.test(name)) throw badName();
  return name;
}

/** Names that are the same to people are the same: `ANN` is `Ann`. @param {string} name */
export const foldName = (name) => name.normalize("NFKC").toLowerCase();

/** Control and format characters, what is not assigned, and what shows as nothing. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u2800]/gu;
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

const badName = () => refuse("ERR_NAME", `a name has 1 to ${LIMITS.name} visible characters`);

/** @param {unknown} value @returns {string} In lower case. @throws {Error} what `refusalOf()` understands. */
export function parseRoom(value) {
  const room = typeof value === "string" ? value.normalize("NFC").toLowerCase() : "";
  if (room.length <= LIMITS.room && /^[\p{L}\p{N}_-]+$/u.test(room)) return room;
  throw refuse("ERR_ROOM", `a room's name has 1 to ${LIMITS.room} letters, digits, - or _`);
}

/** @param {unknown} value @returns {string} @throws {Error} what `refusalOf()` understands. */
export function parseText(value) {
  if (typeof value !== "string" || value.trim() === "") throw refuse("ERR_TEXT", "there is no text");
  if (value.length <= LIMITS.text) return value;
  throw refuse("ERR_TOO_LARGE", `the text has ${value.length} characters: limit is ${LIMITS.text}`);
}

/** Whether it is a message: what comes from a server is looked at, too. @param {unknown} value @returns {value is Message} */
export function isMessage(value) {
  const { seq, id, name, text, at } = fieldsOf(value);
  return isCount(seq) && [id, name, text].every((each) => typeof each === "string") && typeof at === "number";
}

/** @param {unknown} value @returns {value is Notice} */
export function isNotice(value) {
  const { kind, name = "", text } = fieldsOf(value);
  return [kind, name, text].every((each) => typeof each === "string");
}

/** @param {unknown} value @returns {value is Whisper} */
export function isWhisper(value) {
  const { id, from, to, text } = fieldsOf(value);
  return [id, from, to, text].every((each) => typeof each === "string");
}

/** @param {unknown} value @returns {value is History} */
export function isHistory(value) {
  const { epoch, last, gone, messages } = fieldsOf(value);
  return (
    typeof epoch === "string" && isCount(last) && isCount(gone) && Array.isArray(messages) && messages.every(isMessage)
  );
}

/** @param {unknown} value @returns {value is Now} */
export function isNow(value) {
  const { epoch, last, people = [] } = fieldsOf(value);
  const areNames = Array.isArray(people) && people.every((each) => typeof each === "string");
  return areNames && typeof epoch === "string" && isCount(last);
}

/** @param {unknown} value @returns {value is Joined} */
export function isJoined(value) {
  const { room, name, people } = fieldsOf(value);
  return (
    isHistory(value) && isNow(value) && [room, name].every((each) => typeof each === "string") && Array.isArray(people)
  );
}

/** @param {unknown} value @returns {string} */
function parseId(value) {
  if (typeof value === "string" && /^[\w-]{1,64}$/.test(value)) return value;
  throw refuse("ERR_ID", `an id has 1 to ${LIMITS.id} letters, digits, - or _`);
}

/** @param {unknown} value @returns {Record<string, unknown>} */
function fieldsOf(value) {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/**
 * The error that becomes a {@link Refusal}.
 *
 * @param {string} code
 * @param {string} message
 * @param {number} [retryAfterMs]
 */
export function refuse(code, message, retryAfterMs) {
  return Object.assign(new Error(message), { code, retryAfterMs, isRefusal: true });
}
