/**
 * `ipc.session.v1` in a browser: messages are numbered and kept until the server has them; after a cut it connects again
 * and goes on where it was. A page cannot ping: the heartbeat is a message.
 */

const BEAT_MS = 1_000;
/** A browser waits long for a server that has stalled. */
const CONNECT_MS = 5_000;
const RECONNECT_MS = 4_000;
const ACK_EVERY = 64;
/** After these the same would happen again. */
const FINAL = new Set([1002, 1003, 1007, 1008, 1009, 1011, 4000, 4001]);

/**
 * @param {string} url
 * @param {{
 *   onState(state: "connecting" | "connected" | "waiting" | "ended", detail: { forMs?: number, reason?: string }): void,
 *   onMessage(message: unknown): void,
 *   onResume(repeated: number): void,
 *   onLost(received: number | undefined, sent: unknown[], waiting: number): void,
 *   onRoundTrip(ms: number): void,
 * }} listener `onLost`: gone for good; `received` is undefined where nobody can tell, `sent` may
 *   have arrived or not, `waiting` are still to be sent.
 */
export function openSession(url, listener) {
  let socket;
  let id = null;
  let received = 0;
  /** What the server may not have yet: `{ seq, data, isSent }`. */
  let kept = [];
  let last = 0;
  let tries = 0;
  let pause;
  let beat;
  let pingedAt;
  let isUp = false;

  function connect() {
    clearTimeout(pause);
    listener.onState("connecting", {});
    const mine = new WebSocket(url, "ipc.session.v1");
    socket = mine;
    beat = setTimeout(() => onCut(mine, "no answer"), CONNECT_MS);
    mine.onopen = () => mine.send(JSON.stringify({ hello: { session: id, last: received } }));
    mine.onmessage = ({ data }) => mine === socket && onFrame(JSON.parse(data));
    mine.onclose = ({ code, reason }) => onCut(mine, reason, code);
  }

  function onFrame(frame) {
    if ("seq" in frame) return onData(frame);
    if ("welcome" in frame) return onWelcome(frame.welcome);
    if ("ping" in frame) sendFrame({ pong: received });
    if ("pong" in frame) {
      listener.onRoundTrip(performance.now() - pingedAt);
      pingedAt = undefined;
    }
    confirm(frame.ack ?? frame.ping ?? frame.pong);
  }

  function onData({ seq, data }) {
    if (seq <= received) return;
    received = seq;
    if (received % ACK_EVERY === 0) sendFrame({ ack: received });
    listener.onMessage(data);
  }

  function onWelcome(welcome) {
    clearTimeout(beat);
    tries = 0;
    isUp = true;
    pingedAt = undefined;
    listener.onState("connected", {});
    if (welcome.session === id) {
      confirm(welcome.last);
      received += welcome.gone;
      listener.onResume(kept.length);
      if (welcome.gone > 0) listener.onLost(welcome.gone, [], kept.length);
    } else {
      const isFirst = id === null;
      const sent = kept.filter(({ isSent }) => isSent).map(({ data }) => data);
      id = welcome.session;
      received = 0;
      // What never went out goes to the new session.
      kept = kept.filter(({ isSent }) => !isSent).map(({ data }, index) => ({ seq: index + 1, data, isSent: false }));
      last = kept.length;
      if (!isFirst) listener.onLost(undefined, sent, kept.length);
    }
    for (const one of kept) transmit(one);
    beatNow();
  }

  function confirm(seq) {
    kept = kept.filter((one) => one.seq > seq);
  }

  function beatNow() {
    if (pingedAt !== undefined) return onCut(socket, "no answer");
    pingedAt = performance.now();
    sendFrame({ ping: received });
    beat = setTimeout(beatNow, BEAT_MS);
  }

  function onCut(which, reason, code = 1006) {
    if (which !== socket) return;
    socket = undefined;
    isUp = false;
    clearTimeout(beat);
    // One that has stalled would take its time to say goodbye.
    which.onclose = null;
    which.close();
    if (FINAL.has(code)) return listener.onState("ended", { reason: `${code} ${reason}` });
    // At first by chance: the pages of a server that comes back do not all knock at the same moment.
    const forMs = tries++ === 0 ? Math.random() * RECONNECT_MS : RECONNECT_MS;
    listener.onState("waiting", { forMs, reason: reason || (code === 1006 ? "cut" : String(code)) });
    pause = setTimeout(connect, forMs);
  }

  function transmit(one) {
    one.isSent = true;
    sendFrame({ seq: one.seq, data: one.data });
  }

  function sendFrame(frame) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  }

  connect();
  return {
    /** Sends a message, or keeps it until there is a connection. */
    send(data) {
      const one = { seq: ++last, data, isSent: false };
      kept.push(one);
      if (isUp) transmit(one);
    },
    /** Ends the connection, not the session. */
    cut: () => socket && onCut(socket, "cut here", 4002),
    /** Does not wait any longer. */
    reconnect: () => socket === undefined && connect(),
  };
}
