import { clearScreenDown, createInterface, cursorTo, moveCursor } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { ReadStream, WriteStream } from "node:tty";

/** Where a person or a program sits: what they type comes as lines, what happens is shown to them. */
export interface Seat extends AsyncIterable<string> {
  /** A person, at a terminal. */
  readonly isTerminal: boolean;
  /** Shows a line. At a terminal what is being typed stays below it. */
  note(line: string): void;
  /** Reads no more, and gives a terminal back as it was. */
  close(): void;
}

/** A seat at a terminal where both streams are one, else at a pipe. */
export function openSeat(input: Readable, output: Writable): Seat {
  const isTerminal = input instanceof ReadStream && output instanceof WriteStream;
  return isTerminal ? openTerminal(input, output) : openPipe(input, output);
}

function openPipe(input: Readable, output: Writable): Seat {
  const lines = createInterface({ input });
  // From now on, that no line is lost which comes before somebody asks.
  const iterator = lines[Symbol.asyncIterator]();
  return {
    isTerminal: false,
    note: (line) => void output.write(`${line}\n`),
    close: () => lines.close(),
    [Symbol.asyncIterator]: () => iterator,
  };
}

function openTerminal(input: ReadStream, output: WriteStream): Seat {
  const editor = createInterface({ input, output, prompt: "> ", historySize: 100 });
  const iterator = editor[Symbol.asyncIterator]();
  let isClosed = false;
  // While a line is being edited Ctrl-C is a key: here it becomes the signal that it is elsewhere.
  editor.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  editor.on("line", (line) => {
    // What was said comes back with a name in front, from the server.
    const rows = Math.ceil((line.length + 2) / output.columns) || 1;
    moveCursor(output, 0, -rows);
    erase();
    editor.prompt();
  });
  editor.on("close", () => {
    isClosed = true;
    if (editor.line === "") erase();
    else output.write("\n");
  });
  editor.prompt();

  function erase(): void {
    cursorTo(output, 0);
    clearScreenDown(output);
  }

  return {
    isTerminal: true,
    note(line) {
      if (isClosed) return void output.write(`${line}\n`);
      const { rows, cols } = editor.getCursorPos();
      // Behind the last column a cursor is in the next row only when something is written there.
      if (cols === 0) output.write(" ");
      moveCursor(output, 0, -rows);
      erase();
      output.write(`${line}\n`);
      // What is redrawn is looked for above; there is nothing left of it.
      Object.assign(editor, { prevRows: 0 });
      editor.prompt(true);
    },
    close: () => editor.close(),
    [Symbol.asyncIterator]: () => iterator,
  };
}
