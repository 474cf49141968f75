import type { Client } from "./client.ts";
import { describeEvent, escapeText } from "./describe.ts";
import { foldName } from "./page/protocol.js";
import type { Seat } from "./seat.ts";

const HELP = "/who, /to NAME text, /quit; all else is said to everybody";

/**
 * Somebody at a seat takes part in a chat: the first line is their name, unless they have one; the others are said, or are
 * commands. `quit`, `/quit` and the end of the input leave.
 *
 * @throws {Error} when a pipe's name is refused, or it was sent out of the room.
 */
export async function talk(client: Client, seat: Seat, room: string, name?: string): Promise<void> {
  let isIn = false;
  let expelled: Error | undefined;
  const shown = showAll();

  async function showAll(): Promise<void> {
    for await (const event of client) {
      const line = describeEvent(event);
      if (line !== undefined) seat.note(line);
      if (event.type !== "expelled") continue;
      isIn = false;
      expelled = Object.assign(new Error(event.refusal.message), { code: event.refusal.code });
      if (seat.isTerminal) seat.note("What is your name?");
      else seat.close();
    }
  }

  async function comeIn(line: string): Promise<void> {
    try {
      await client.join(room, line);
      isIn = true;
    } catch (error) {
      if (!seat.isTerminal) throw error;
      seat.note(`${escapeText((error as Error).message)}. What is your name?`);
    }
  }

  async function obey(line: string): Promise<void> {
    const [, command, rest = ""] = /^\/(\w+) ?(.*)$/s.exec(line) ?? [];
    if (command === undefined) return void (await client.say(line));
    const here = escapeText(client.people.join(", "));
    if (command === "who") return seat.note(`here: ${here}`);
    if (command !== "to") return seat.note(HELP);
    const to = findName(client.people, rest);
    if (to === undefined) return seat.note(`nobody here is called that: ${here}`);
    const text = rest.slice(to.length).trim();
    await client.whisper(to, text);
    seat.note(escapeText(`to ${to}: ${text}`));
  }

  const sayWhy = (error: Error) => seat.note(`not said: ${escapeText(error.message)}`);

  try {
    if (name !== undefined) await comeIn(name);
    for await (const line of seat) {
      if (line === "quit" || line === "/quit") break;
      if (line.trim() === "") continue;
      const done = isIn ? obey(line).catch(sayWhy) : comeIn(line);
      // A person may go on; a pipe waits, or all of a file would be here at once.
      if (!seat.isTerminal || !isIn) await done;
    }
  } finally {
    seat.close();
    await client.close();
    await shown;
  }
  if (expelled && !seat.isTerminal) throw expelled;
}

/** The longest name of somebody here that the text begins with: names may have blanks. */
function findName(people: readonly string[], text: string): string | undefined {
  const folded = foldName(text);
  const found = people.filter((name) => `${folded} `.startsWith(`${foldName(name)} `));
  return found.sort((a, b) => b.length - a.length)[0];
}
