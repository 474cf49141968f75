import { tell } from "@ipc/core/tell";
import type { ChatSocket, Hall } from "./hall.ts";
import { refuse } from "./page/protocol.js";

/** What answers an event, given what the client sent; what it throws is its refusal. */
type Handler = (value: unknown) => object | Promise<object>;

/**
 * Answers what one socket sends: everything gets an answer, nothing that comes ends the process, and who sends too much is told
 * to wait, then dropped.
 */
export function answerEvents(socket: ChatSocket, hall: Hall, handlers: Record<string, Handler>): void {
  const { onEvent, maxEventsPerSecond } = hall.settings;
  const rate = createRateLimit(maxEventsPerSecond);
  const table = new Map(Object.entries(handlers));

  async function answer(event: string, args: readonly unknown[]): Promise<void> {
    const last = args.at(-1);
    try {
      const waitMs = rate.take();
      if (waitMs > 0) throw refuse("ERR_TOO_FAST", `more than ${maxEventsPerSecond} a second`, waitMs);
      const handle = table.get(event);
      if (!handle) throw refuse("ERR_EVENT", "there is no such event");
      const result = await handle(args[0]);
      if (typeof last === "function") last({ ok: true, ...result });
    } catch (error) {
      const refusal = refusalOf(error);
      if (typeof last === "function") last(refusal);
      else socket.emit("refused", { ...refusal, event });
    }
    if (!rate.isFlooded() || !socket.connected) return;
    tell(onEvent, { type: "dropped", peer: socket.handshake.address, reason: "it floods" });
    socket.disconnect(true);
  }

  function refusalOf(error: unknown) {
    const { code, message, retryAfterMs, isRefusal } = error as ReturnType<typeof refuse>;
    if (isRefusal) return { ok: false as const, code, message, ...(retryAfterMs && { retryAfterMs }) };
    tell(onEvent, { type: "failed", error: error as Error });
    // The client learns that it may try again, not what is wrong in here.
    return { ok: false as const, code: "ERR_UNAVAILABLE", message: "it cannot be done now", retryAfterMs: 1_000 };
  }

  // Before any listener: the names of events come from outside, too.
  socket.use(([event, ...args]) => {
    // Not done, not answered: the client says it again to the next server.
    if (!hall.isClosing) hall.track(answer(String(event), args));
  });
}

/** A bucket of twice `perSecond` tokens that fills at that rate ("token bucket"). `take()` gives 0, or how long to wait, in ms. */
export function createRateLimit(perSecond: number): { take(): number; isFlooded(): boolean } {
  const burst = 2 * perSecond;
  let tokens = burst;
  let filledAt = performance.now();
  let refused = 0;
  return {
    take() {
      const now = performance.now();
      tokens = Math.min(burst, tokens + ((now - filledAt) / 1_000) * perSecond);
      filledAt = now;
      if (tokens < 1) {
        refused++;
        return Math.ceil(((1 - tokens) / perSecond) * 1_000);
      }
      tokens--;
      // Who is refused twice for each that passes is only in a hurry.
      refused = Math.max(0, refused - 2);
      return 0;
    },
    isFlooded: () => refused > 10 * burst,
  };
}
