import { describeTcpEvent } from "@ipc/core/tcp-server";
import type { ServerEvent } from "./server.ts";

/** One line for a log. It may hold what a peer sent: make it printable first. */
export function describeEvent(event: ServerEvent): string {
  switch (event.type) {
    case "rejected":
      return `${event.peer} rejected with HTTP ${event.status}: ${event.reason}`;
    case "threw":
      return `${event.peer} got -32603, ${event.method} failed: ${event.error.message}`;
    case "busy":
      return `calls are refused: ${event.maxCalls} are running, which is the limit`;
    default:
      return describeTcpEvent(event);
  }
}
