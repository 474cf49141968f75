import { clearScreenDown, createInterface, cursorTo, moveCursor } from "node:readline";
import type { ReadStream, WriteStream } from "node:tty";
import { BYE, escapeLine } from "./protocol.ts";
import type { Seat, SeatOptions } from "./seat.ts";
import type { Talk } from "./talk.ts";

/** 100: far above what anybody types while the other side takes nothing; what is pasted beyond waits in the system. */
const MOST_WAITING = 100;

/**
 * A seat with a person at a terminal: the line that is being typed stays below, whatever is said or happens meanwhile.
 *
 * Ctrl-D says bye. A side that ends without bye has left: one that was killed looks the same.
 */
export function openTerminal(options: SeatOptions & { input: ReadStream; output: WriteStream }): Seat {
  const { input, output } = options;
  const editor = createInterface({ input, output, prompt: "> ", historySize: 100 });
  const waiting: string[] = [];
  let isHeldUp = false;
  let isClosed = false;
  let talk: Talk | undefined;
  let leave = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });

  // While a line is being edited Ctrl-C is a key: here it becomes the signal that it is elsewhere.
  editor.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  editor.on("line", (line) => {
    if (waiting.push(line) === 1) void sayAll();
    isHeldUp = waiting.length >= MOST_WAITING;
    if (isHeldUp) editor.pause();
    else editor.prompt(true);
  });
  editor.on("close", () => {
    isClosed = true;
    // What was being typed stays to be seen.
    if (editor.line === "") eraseInput();
    else output.write("\n");
    if (waiting.length === 0) void hangUp();
  });

  async function sayAll(): Promise<void> {
    for (let line = waiting[0]; line !== undefined; line = waiting[0]) {
      await say(line);
      waiting.shift();
    }
    if (isClosed) await hangUp();
    else if (isHeldUp) {
      isHeldUp = false;
      editor.prompt(true);
    }
  }

  async function say(line: string): Promise<void> {
    if (talk) await talk.send(line).catch((error: Error) => note(error.message));
    else if (line === BYE) leave();
    else note("nobody is there: not said");
  }

  async function hangUp(): Promise<void> {
    await talk?.close();
    leave();
  }

  function note(line: string): void {
    if (isClosed || isHeldUp) return void output.write(`${line}\n`);
    eraseInput();
    output.write(`${line}\n`);
    // What is redrawn is looked for above; there is nothing left of it.
    Object.assign(editor, { prevRows: 0 });
    editor.prompt(true);
  }

  function eraseInput(): void {
    const { rows, cols } = editor.getCursorPos();
    // Behind the last column a cursor is in the next row only when something is written there.
    if (cols === 0) output.write(" ");
    moveCursor(output, 0, -rows);
    cursorTo(output, 0);
    clearScreenDown(output);
  }

  return {
    left,
    note,
    async join(next) {
      talk = next;
      editor.prompt(true);
      try {
        for await (const line of next) note(`< ${escapeLine(line)}`);
        next.end();
        const error = await next.closed;
        if (error && !next.bye) throw error;
      } finally {
        if (talk === next) talk = undefined;
      }
    },
    close: () => editor.close(),
  };
}
