import type { Socket } from "node:net";

/** What one turn of the event loop writes to a socket goes out in one write: a write costs as much as all else of a post. */
export interface TurnWriter {
  add(socket: Socket): void;
  /** From now to the end of this turn. */
  begin(): void;
}

/** For a few sockets that many posts share. */
export function createTurnWriter(): TurnWriter {
  const sockets = new Set<Socket>();
  let corked: Socket[] | undefined;
  const end = () => {
    for (const socket of corked ?? []) socket.uncork();
    corked = undefined;
  };
  return {
    add(socket) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    },
    begin() {
      if (corked) return;
      corked = [...sockets];
      for (const socket of corked) socket.cork();
      setImmediate(end);
    },
  };
}
