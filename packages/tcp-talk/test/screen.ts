/**
 * What a terminal of 80 columns shows of a stream of bytes. It knows the few sequences that line editing needs; any
 * other is an error, so nothing from a peer can pass as one.
 */
export function readScreen(stream: string, columns = 80): string[] {
  const rows: string[][] = [[]];
  let row = 0;
  let column = 0;

  function put(character: string): void {
    // Behind the last column a cursor is in the next row only when something is written there.
    if (column === columns) {
      row++;
      column = 0;
    }
    const cells = rowAt(row);
    while (cells.length < column) cells.push(" ");
    cells[column++] = character;
  }

  function rowAt(index: number): string[] {
    while (rows.length <= index) rows.push([]);
    return rows[index] ?? [];
  }

  const moves: Record<string, (count: number) => void> = {
    A: (count) => {
      row = Math.max(0, row - count);
    },
    C: (count) => {
      column = Math.min(columns - 1, column + count);
    },
    G: (count) => {
      column = count - 1;
    },
    J: () => {
      rowAt(row).length = Math.min(rowAt(row).length, column);
      rows.length = row + 1;
    },
  };

  for (const [token, count, letter] of stream.matchAll(TOKEN)) {
    const move = letter && moves[letter];
    if (move) move(count ? Number(count) : 1);
    else if (token === "\r") column = 0;
    else if (token === "\n") rowAt(++row);
    else if (token < " " || token.length > 2) throw new Error(`Cannot show ${JSON.stringify(token)}: it is no text`);
    else put(token);
  }
  return rows.map((cells) => cells.join("").trimEnd());
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const TOKEN = /\u001b\[(\d*)([A-Za-z])|[\s\S]/gu;
