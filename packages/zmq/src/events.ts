/** What the ends of all patterns tell, through `onEvent`. ZeroMQ does not say who a peer is. */
export type ZmqEvent =
  /** A peer came or left; `waiting`: nobody is there, said once a wait. */
  | { type: "connected" | "disconnected" | "waiting"; url: string }
  /**
   * - `refused`: a peer without the right keys, or one that does not speak ZeroMQ
   * - `dropped`: a message that is none, of which nobody can be told
   * - `failed`: a request that is none, that is one too many, or whose handler threw; its sender has been told
   * - `undeliverable`: a reply that nobody waits for any more, or whose client does not read
   */
  | { type: "refused"; error: Error }
  | { type: "dropped"; error: Error }
  | { type: "failed"; error: Error }
  | { type: "undeliverable"; error: Error }
  /** A server was told to stop by a request. */
  | { type: "stopped" }
  /** How many subscriptions to a topic a publisher has now. */
  | { type: "subscribed"; topic: string; count: number }
  /** So many messages of a topic did not reach a subscriber: it was too slow, or away. */
  | { type: "lost"; topic: string; count: number }
  /** A worker of a broker came; or it left or gave no sign of life, and its request, if it had one, goes to another. */
  | { type: "worker-ready" | "worker-gone"; worker: string };

/** An event as one line for a log. */
export function describeEvent(event: ZmqEvent): string {
  switch (event.type) {
    case "connected":
      return "a peer connected";
    case "disconnected":
      return "a peer left";
    case "waiting":
      return `waiting for ${event.url}`;
    case "stopped":
      return "told to stop";
    case "subscribed":
      return `subscriptions to '${event.topic}': ${event.count}`;
    case "lost":
      return `lost ${event.count} of '${event.topic}'`;
    case "worker-ready":
      return `worker ${event.worker} is ready`;
    case "worker-gone":
      return `worker ${event.worker} is gone`;
    default:
      return `${event.type}: ${event.error.message}`;
  }
}
