import { createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { type Child, startProgram } from "@ipc/core/child";
import { until } from "@ipc/core/testing";
import { type ServerOptions, startServer, type ZmqEvent } from "../src/index.ts";

/** Text as a message. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A message as text. */
export const text = (message: Uint8Array): string => new TextDecoder().decode(message);

/** Remembers what is told. */
export function record() {
  const events: ZmqEvent[] = [];
  const onEvent = (event: ZmqEvent) => void events.push(event);
  const told = <T extends ZmqEvent["type"]>(type: T) => {
    const isThat = (event: ZmqEvent): event is Extract<ZmqEvent, { type: T }> => event.type === type;
    return until(() => events.find(isThat), 5);
  };
  const count = (type: ZmqEvent["type"]) => events.filter((event) => event.type === type).length;
  return { events, onEvent, told, count };
}

/** A server for one test, and what it told. */
export async function serve(t: TestContext, options: ServerOptions = {}) {
  const recorded = record();
  const server = await startServer({ handler: (message) => message, onEvent: recorded.onEvent, ...options });
  t.after(() => server.close());
  return { server, url: server.url, ...recorded };
}

/** A port that was free a moment ago: for a client that comes before its server. */
export async function freeUrl(): Promise<string> {
  const server = await startServer();
  await server.close();
  return server.url;
}

/** The program that a test runs as a process of its own. */
export const bin = (name: string): URL => new URL(`../bin/${name}.ts`, import.meta.url);

/** A program that is killed when the test is over. */
export function start(t: TestContext, file: string | URL, args: string[] = []): Child {
  const child = startProgram(typeof file === "string" ? bin(file) : file, args);
  t.after(() => child.stop("SIGKILL"));
  return child;
}

/** A program in `fixtures/`. */
export const fixture = (name: string): URL => new URL(`fixtures/${name}.ts`, import.meta.url);

/** Between a client and `url`: passes bytes on in pieces of `pieceBytes`, each in a turn of its own. */
export async function cutWire(t: TestContext, url: string, pieceBytes: number): Promise<string> {
  const { connect } = await import("node:net");
  const pass = async (from: Socket, to: Socket) => {
    from.on("error", () => {});
    for await (const chunk of from) {
      for (let start = 0; start < chunk.length; start += pieceBytes) {
        to.write(chunk.subarray(start, start + pieceBytes));
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    to.end();
  };
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port: Number(new URL(url).port), noDelay: true });
    t.after(() => {
      near.destroy();
      far.destroy();
    });
    pass(near, far).catch(() => far.destroy());
    pass(far, near).catch(() => near.destroy());
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  return `tcp://127.0.0.1:${typeof address === "object" && address?.port}`;
}
