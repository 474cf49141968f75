/**
 * A `net` server without anything around it, for the baselines. Given a listener for each connection.
 *
 * @module
 */
import { createServer, type Socket } from "node:net";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";

/** Runs as a program of its own: listens on a free port until SIGTERM. */
export function runBareServer(name: string, onConnection: (socket: Socket) => void): Promise<void> {
  return runProgram({ name, summary: "A baseline of the benchmark.", flags: {} }, async () => {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on("error", () => {});
      onConnection(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    closeOnSignal({ close: () => new Promise<void>((resolve) => server.close(() => resolve())) });
    sayReady(name, `tcp://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
  });
}
