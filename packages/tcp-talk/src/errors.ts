/** Why a talk, or an attempt at one, is over. */
export function talkError(url: string, code: string | undefined, why: string, cause?: Error): Error {
  return Object.assign(new Error(`Cannot talk to ${url}: ${why}`, { cause }), { code });
}

/** What a connection failed with, in words. A line that cannot be taken says enough by itself. */
export function describeLoss(url: string, error: NodeJS.ErrnoException): Error {
  const why = REASONS[error.code ?? ""];
  return !why || error.message.includes(url) ? error : talkError(url, error.code, why, error);
}

const REASONS: Record<string, string> = {
  ECONNRESET: "the connection was lost",
  EPIPE: "the connection was lost",
  ETIMEDOUT: "nothing comes back from that machine",
  EHOSTUNREACH: "that machine cannot be reached any more",
  ENETUNREACH: "that machine cannot be reached any more",
};
