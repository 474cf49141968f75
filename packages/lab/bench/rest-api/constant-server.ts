/**
 * Answers whatever is asked with the same bytes, as cheaply as can be: what is measured is the client.
 *
 * @module
 */
import { createServer, type Socket } from "node:net";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { BOOK } from "./book.ts";

await runProgram({ name: "constant", summary: "A baseline of the benchmark.", flags: {} }, async () => {
  const body = JSON.stringify(BOOK);
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`;
  const answer = Buffer.from(`${head}\r\n\r\n${body}`);
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    // One request at a time a connection, none with a body, each in one piece.
    socket.on("data", () => socket.write(answer)).on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  closeOnSignal({
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      return Promise.resolve();
    },
  });
  sayReady("constant", `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
});
