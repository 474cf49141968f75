// @ts-check
/**
 * What is said leaves one after another, and again with the same id until there is an answer.
 *
 * @module
 */

/**
 * @typedef {object} Outbox
 * @property {(event: string, payload: object) => Promise<any>} put Resolves with the answer; rejects with a `code` when it is refused.
 * @property {() => Promise<void>} send Sends as long as it may.
 * @property {(graceMs: number) => Promise<void>} close Takes no more; resolves when it is empty, or after that time.
 */

/**
 * @param {object} post
 * @param {() => string} post.createId
 * @param {() => boolean} post.isOpen Whether it may send now.
 * @param {(event: string, payload: object) => Promise<any>} post.ask Resolves with nothing when no answer came.
 * @returns {Outbox}
 */
export function createOutbox({ createId, isOpen, ask }) {
  /** @type {{ event: string, payload: object, resolve(answer: any): void, reject(error: unknown): void }[]} */
  const waiting = [];
  let isSending = false;
  let isClosed = false;
  let onEmpty = () => {};

  async function send() {
    if (isSending) return;
    isSending = true;
    // One at a time: what is sent again after a cut keeps its place.
    for (let first = waiting[0]; first && isOpen(); first = waiting[0]) await sendOne(first);
    isSending = false;
    if (waiting.length === 0) onEmpty();
  }

  /** @param {(typeof waiting)[number]} first */
  async function sendOne({ event, payload, resolve, reject }) {
    const answer = await ask(event, payload);
    // No answer: nobody knows whether it came. Sent again it has the same id.
    if (!answer) return;
    if (answer.retryAfterMs) return await pause(answer.retryAfterMs);
    waiting.shift();
    if (answer.ok) resolve(answer);
    else reject(errorOf(answer));
  }

  return {
    put(event, payload) {
      return new Promise((resolve, reject) => {
        if (isClosed) return reject(over());
        waiting.push({ event, payload: { id: createId(), ...payload }, resolve, reject });
        void send();
      });
    },
    send,
    async close(graceMs) {
      isClosed = true;
      if (waiting.length > 0) {
        await new Promise((resolve) => {
          const timer = setTimeout(resolve, graceMs);
          onEmpty = () => resolve(clearTimeout(timer));
        });
      }
      for (const { reject } of waiting.splice(0)) reject(over());
    },
  };
}

const over = () => errorOf({ code: "EPIPE", message: "the conversation is over" });

/** @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** @param {{ code: string, message: string }} refusal */
export function errorOf({ code, message }) {
  return Object.assign(new Error(message), { code });
}
