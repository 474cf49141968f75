import type { Socket } from "node:net";

/** What one turn of the event loop writes to a socket goes out in one write: a write costs as much as all else of a post. */
export interface TurnWriter {
  add(socket: Socket): void;
  /** From now to the end of this turn; to be called before each post. */
  begin(): void;
  /** Behind what the post has put off itself: undici looks at an idle connection once more before it writes to it. */
  end(): void;
}

/** For a few sockets that many posts share. */
export function createTurnWriter(): TurnWriter {
  const sockets = new Set<Socket>();
  let corked: Socket[] | undefined;
  let ending: NodeJS.Immediate | undefined;
  const uncork = () => {
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
    },
    end() {
      clearImmediate(ending);
      ending = setImmediate(uncork);
    },
  };
}
