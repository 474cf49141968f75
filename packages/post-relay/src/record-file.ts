import { createReadStream } from "node:fs";
import { lineFraming } from "@ipc/core/framing";

/** A post in the record: a line of JSON. */
export interface RecordedPost {
  /** When it came: `2026-11-21T12:00:00.000Z`. */
  at: string;
  /** Its `Idempotency-Key`, if it had one. */
  key?: string | undefined;
  /** JSON, as it was sent. */
  body: string;
}

/** The longest line: a body of 16 MiB of control characters, each `\u0000` in JSON. */
const MAX_LINE_BYTES = 100_000_000;

/**
 * Reads what a sink has recorded, oldest first; nothing where there is no such file.
 *
 * @returns How many bytes are sound: behind them there may be a post that was torn when the sink was killed.
 * @throws {SyntaxError} `ERR_RECORD` when something before the last post is none.
 */
export async function readRecord(file: string, onPost: (post: RecordedPost) => void): Promise<number> {
  const decoder = lineFraming.createDecoder({ maxFrameBytes: MAX_LINE_BYTES });
  let soundBytes = 0;
  let lineNumber = 0;
  let wrongLine: number | undefined;
  for await (const chunk of chunksOf(file)) {
    for (const line of decoder.decode(chunk)) {
      lineNumber++;
      const post = parseLine(line);
      if (!post) wrongLine ??= lineNumber;
      else if (wrongLine !== undefined) throw damaged(file, wrongLine);
      else {
        soundBytes += line.length + 1;
        onPost(post);
      }
    }
  }
  return soundBytes;
}

async function* chunksOf(file: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== "ENOENT") throw Object.assign(new Error(`Cannot read ${file}: ${message}`, { cause }), { code });
  }
}

function parseLine(line: Uint8Array): RecordedPost | undefined {
  try {
    const { at, key, body }: Record<string, unknown> = JSON.parse(new TextDecoder().decode(line));
    if (typeof at !== "string" || Number.isNaN(Date.parse(at)) || typeof body !== "string") return undefined;
    return key === undefined || typeof key === "string" ? { at, key, body } : undefined;
  } catch {
    return undefined;
  }
}

function damaged(file: string, line: number): Error {
  const text = `Cannot read record ${file}: line ${line} is no post, and posts follow it`;
  return Object.assign(new SyntaxError(text), { code: "ERR_RECORD", file, line });
}
