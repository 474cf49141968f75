import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { warn } from "@ipc/core/terminal";
import { type ClientEvent, connect, CLIENT_DEFAULTS as defaults, openSeat, talk } from "../src/index.ts";

const flags = {
  name: { type: "text", help: "your name; without it the first line is" },
  room: { type: "text", default: defaults.room, help: "room to come into" },
  timeoutMs: { type: "number", default: defaults.timeoutMs, min: 1, help: "time for an answer" },
  graceMs: { type: "number", default: defaults.graceMs, help: "time to send what waits at the end" },
  waitMs: { type: "number", default: defaults.waitMs, help: "time to wait for a server; 0 fails at once" },
} as const;
const summary = "Chats, line by line; /quit leaves, /help says more.";
const advice = {
  ERR_REFUSED: "Check the address",
  ERR_NAME_TAKEN: "Try another --name",
  ERR_NAME: "Try another --name",
  ERR_ROOM: "Try another --room",
};

await runProgram({ name: "socketio-chat client", summary, args: ["url"], flags, advice }, async (values, [url]) => {
  const { name, room, ...options } = values;
  const onEvent = ({ url }: ClientEvent) => warn(`waiting for ${url}`);
  const client = await connect(url ?? `http://127.0.0.1:${PORTS["socketio-chat"]}`, { ...options, onEvent });
  const seat = openSeat(process.stdin, process.stdout);
  closeOnSignal({ close: () => client.close().finally(seat.close) }, values.graceMs + 1_500);
  await talk(client, seat, room, name);
});
