import { printable } from "@ipc/core/terminal";
import type { ConversationEvent } from "./page/conversation.js";

/** What a server tells. */
export type ServerEvent =
  | { type: "joined"; room: string; name: string; missed: number }
  | { type: "left"; room: string; name: string }
  | { type: "refused"; peer: string; status: number; reason: string }
  | { type: "dropped"; peer: string; reason: string }
  | { type: "failed"; error: Error }
  | { type: "redis"; isThere: boolean; url: string };

/** An event as a line of a server's log, safe for a terminal. */
export function describeServerEvent(event: ServerEvent): string {
  return escapeText(describe(event));
}

function describe(event: ServerEvent): string {
  if (event.type === "joined") {
    const missed = event.missed > 0 ? `, ${event.missed} messages behind` : "";
    return `${event.name} joined ${event.room}${missed}`;
  }
  if (event.type === "left") return `${event.name} left ${event.room}`;
  if (event.type === "refused") return `${event.peer} refused with ${event.status}: ${event.reason}`;
  if (event.type === "dropped") return `${event.peer} dropped: ${event.reason}`;
  if (event.type === "redis") return `${event.url} ${event.isThere ? "is there again" : "is gone, trying again"}`;
  return event.error.message;
}

/** What happened in a conversation as lines for a terminal; `undefined` for what is nothing to read there. */
export function describeEvent(event: ConversationEvent): string | undefined {
  const line = describeConversation(event);
  return line === undefined ? undefined : escapeText(line);
}

function describeConversation(event: ConversationEvent): string | undefined {
  if (event.type === "message") return `${event.message.name}: ${event.message.text}`;
  if (event.type === "whisper") return `${event.whisper.from} (to you): ${event.whisper.text}`;
  if (event.type === "notice") return event.notice.text;
  if (event.type === "joined") return `in ${event.room}: ${event.people.join(", ")}`;
  if (event.type === "disconnected") return "connection lost, trying again";
  if (event.type === "expelled") return `out of the room: ${event.refusal.message}`;
  return event.type === "resumed" ? describeResumed(event) : undefined;
}

function describeResumed({ missed, gone, isLost }: ConversationEvent & { type: "resumed" }): string {
  if (isLost) return "back again: the history was lost, the server has started anew";
  const lost = gone > 0 ? `, ${gone} more are not kept any more` : "";
  return `back again: ${missed} ${missed === 1 ? "message" : "messages"} came meanwhile${lost}`;
}

/** Text from outside made safe for a terminal: what would move its cursor, clear it or turn its text around is shown as a code. */
export function escapeText(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => printable(Buffer.from(line), Number.POSITIVE_INFINITY));
  return lines.join("\n  ");
}
