import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { endSocket } from "../sockets.ts";

/** A way to the other side and back, while it lasts. */
export interface Link {
  /** Who is there, in errors: `the server`. */
  peer: string;
  input: Duplex;
  output: Duplex;
  /** Resolves with the reason when it is over. */
  ended: Promise<Error>;
  /** Ends it in order. */
  end(): Promise<void>;
  /** Ends it at once. */
  cutOff(reason: Error): void;
}

/** The way that a connected socket is. */
export function linkSocket(socket: Socket): Link {
  // No reply can follow; what is still to be sent would wait for ever at a server that does not read.
  socket.once("end", () => socket.destroy());
  return {
    peer: "the server",
    input: socket,
    output: socket,
    ended: new Promise((resolve) => {
      socket.once("close", () => resolve(whyClosed(socket.errored)));
    }),
    end: () => endSocket(socket),
    cutOff: (reason) => void socket.destroy(reason),
  };
}

/** "write EPIPE" and "read ECONNRESET" say the same as an end in order: nobody is there any more. */
function whyClosed(error: NodeJS.ErrnoException | null): Error {
  if (error && error.code !== "EPIPE" && error.code !== "ECONNRESET") return error;
  return new Error("the server closed the connection", { cause: error });
}
