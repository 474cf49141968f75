import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { printable, say } from "@ipc/core/terminal";
import { ADVICE as advice, SERVER_FLAGS as flags, listOf } from "../src/flags.ts";
import { describeServerEvent, parseMessage, startServer } from "../src/index.ts";

const summary = "Sends back every message it gets, or speaks first; a page at /.";
const log = (line: string) => say(printable(new TextEncoder().encode(line)));

await runProgram({ name: "websocket server", summary, flags, advice }, async (values) => {
  const message: unknown = parseMessage(values.message);
  const isFirst = values.first === "server";
  const server = await startServer({
    ...values,
    allowedHosts: listOf(values.allowedHosts),
    allowedOrigins: listOf(values.allowedOrigins),
    onEvent: (event) => say(describeServerEvent(event)),
    ...(isFirst && {
      onConnect(peer) {
        log(`${peer.name} sending  ${values.message}`);
        peer.send(message);
      },
      handler: (answer, { name }) => log(`${name} received ${JSON.stringify(answer)}`),
    }),
  });
  closeOnSignal(server, values.graceMs + 1_500);
  sayReady("websocket", server.url);
});
