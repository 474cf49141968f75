/**
 * jayson's own HTTP server.
 *
 * @module
 */
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import jayson from "jayson";

await runProgram({ name: "jayson", summary: "A library of the benchmark.", flags: {} }, async () => {
  const methods = {
    subtract([minuend = 0, subtrahend = 0]: number[], callback: (error: null, difference: number) => void) {
      callback(null, minuend - subtrahend);
    },
  };
  const server = new jayson.Server(methods).http();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  closeOnSignal({
    close() {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
  sayReady("jayson", `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
});
