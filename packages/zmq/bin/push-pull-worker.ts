import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram } from "@ipc/core/process";
import { say, warn } from "@ipc/core/terminal";
import { connectPull, connectPush, describeEvent, SOCKET_DEFAULTS, type ZmqEvent } from "../src/index.ts";

const flags = {
  packed: { type: "switch", help: "many results in one ZeroMQ message" },
  waitMs: { type: "number", default: SOCKET_DEFAULTS.waitMs, help: "time to wait for both; 0 fails at once" },
} as const;
const summary = "Takes tasks from a ventilator and sends results to a sink.";
const [name, args] = ["zmq push-pull-worker", ["ventilator", "sink"]];

await runProgram({ name, summary, args, flags }, async ({ packed, waitMs }, [from, to]) => {
  const onEvent = (event: ZmqEvent) => /connected/.test(event.type) || warn(describeEvent(event));
  // Tasks come as soon as the ventilator is reached: the way for results is there first.
  const results = await connectPush(to ?? `tcp://127.0.0.1:${PORTS.zmq - 3}`, { isPacked: packed, waitMs, onEvent });
  const tasks = await connectPull(from ?? `tcp://127.0.0.1:${PORTS.zmq - 2}`, { waitMs, onEvent });
  closeOnSignal(tasks);
  let done = 0;
  for await (const batch of tasks) {
    for (const task of batch) await results.send(Buffer.from(`${Buffer.from(task)} done`));
    done += batch.length;
  }
  await results.close();
  say(`did ${done} tasks`);
});
