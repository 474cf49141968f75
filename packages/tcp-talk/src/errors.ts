/** What a connection failed with, in words. A line that cannot be taken says enough by itself. */
export function describeLoss(url: string, error: NodeJS.ErrnoException): Error {
  const why = REASONS[error.code ?? ""];
  if (!why || error.message.includes(url)) return error;
  return withCode(error.code, new Error(`Cannot talk to ${url}: ${why}`, { cause: error }));
}

const REASONS: Record<string, string> = {
  ECONNRESET: "the connection was lost",
  EPIPE: "the connection was lost",
  ETIMEDOUT: "nothing comes back from that machine",
  EHOSTUNREACH: "that machine cannot be reached any more",
  ENETUNREACH: "that machine cannot be reached any more",
};

/** `EPIPE`: somebody has said bye. */
export function talkIsOver(url: string): Error {
  return withCode("EPIPE", new Error(`Cannot talk to ${url}: the talk is over`));
}

/** `ETIMEDOUT`: the other side takes nothing. */
export function tookNothing(url: string, stallTimeoutMs: number): Error {
  return withCode("ETIMEDOUT", new Error(`Cannot talk to ${url}: it took nothing for ${stallTimeoutMs} ms`));
}

/** `EBUSY`: the other side talks with somebody else. */
export function isBusyThere(url: string): Error {
  return withCode("EBUSY", new Error(`Cannot talk to ${url}: a talk is on there, try again later`));
}

/** `EPROTO`: a browser, or a web server. */
export function speaksHttp(url: string): Error {
  return withCode("EPROTO", new Error(`Cannot talk to ${url}: it speaks HTTP`));
}

function withCode(code: string | undefined, error: Error): Error {
  return Object.assign(error, { code });
}
