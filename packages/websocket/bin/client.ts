import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { printable, say, warn } from "@ipc/core/terminal";
import { ADVICE as advice, CLIENT_FLAGS as flags } from "../src/flags.ts";
import { connect, describeClientEvent, parseMessage } from "../src/index.ts";

const summary = "Sends a message and prints the reply; or returns what the server sends.";
const show = (what: string, message: unknown) =>
  say(`${what.padEnd(9)} ${printable(new TextEncoder().encode(JSON.stringify(message)))}`);

await runProgram({ name: "websocket client", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  const message = parseMessage(values.message);
  const client = await connect(url ?? `ws://127.0.0.1:${PORTS.websocket}`, {
    ...values,
    onEvent: (event) => event.type !== "connected" && warn(describeClientEvent(event)),
  });
  closeOnSignal(client);
  if (values.first === "client") {
    show("sending", message);
    client.send(message);
  }
  for await (const answer of client) {
    show("received", answer);
    if (values.first === "client") break;
    show("returning", answer);
    client.send(answer);
    break;
  }
  await client.close();
});
