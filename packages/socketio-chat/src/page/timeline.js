// @ts-check
/**
 * Messages in their order, each once, however they come: twice, out of turn, in a heap after a cut.
 *
 * @module
 */

/** @import { Message, History } from "./protocol.js" */

/** Ids that are remembered: a server that has lost its history numbers anew what it is sent again. */
const REMEMBERED_IDS = 2_000;

/**
 * @typedef {object} Timeline
 * @property {string} epoch Whose numbers it counts by; empty before the first history.
 * @property {number} last The number of the last message that was shown.
 * @property {boolean} hasGap Something came before its turn.
 * @property {(message: Message) => void} take One from the wire.
 * @property {(history: History) => { missed: number, gone: number, isLost: boolean }} catchUp All that there is; what is not kept any more is not waited for.
 * @property {() => void} pause The connection is gone: what came before its turn will be in the history.
 * @property {(id: string) => boolean} isNew Whether this id was never seen before.
 */

/** @param {(message: Message, isLive: boolean) => void} show @returns {Timeline} */
export function createTimeline(show) {
  let epoch = "";
  let last = 0;
  let isPaused = true;
  /** @type {Map<number, Message>} */
  const early = new Map();
  /** @type {Set<string>} */
  const ids = new Set();

  /** @param {boolean} isLive */
  function showAllInTurn(isLive) {
    for (let next = early.get(last + 1); next; next = early.get(last + 1)) {
      last = next.seq;
      early.delete(last);
      if (isNew(next.id)) show(next, isLive);
    }
  }

  /** @param {string} id */
  function isNew(id) {
    if (ids.has(id)) return false;
    ids.add(id);
    const [oldest] = ids;
    if (ids.size > REMEMBERED_IDS && oldest !== undefined) ids.delete(oldest);
    return true;
  }

  return {
    get epoch() {
      return epoch;
    },
    get last() {
      return last;
    },
    get hasGap() {
      return early.size > 0;
    },
    take(message) {
      if (!isPaused && message.seq <= last) return;
      early.set(message.seq, message);
      if (!isPaused) showAllInTurn(true);
    },
    catchUp(history) {
      const isLost = epoch !== "" && history.epoch !== epoch;
      if (history.epoch !== epoch) last = 0;
      epoch = history.epoch;
      isPaused = false;
      const first = history.messages[0]?.seq ?? history.last + 1;
      last = Math.max(last, first - 1);
      const before = last;
      for (const message of history.messages) early.set(message.seq, message);
      for (const seq of early.keys()) if (seq <= last) early.delete(seq);
      showAllInTurn(false);
      return { missed: last - before, gone: history.gone, isLost };
    },
    pause() {
      isPaused = true;
      early.clear();
    },
    isNew,
  };
}
