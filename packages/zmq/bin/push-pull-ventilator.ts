import { PORTS } from "@ipc/core/ports";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { SOCKET_DEFAULTS, startPush } from "../src/index.ts";

const flags = {
  port: { type: "number", default: PORTS.zmq - 2, max: 65_535, help: "port to listen on; 0 takes a free one" },
  count: { type: "number", default: 10, help: "how many tasks" },
  workers: { type: "number", default: 1, help: "how many to wait for" },
  packed: { type: "switch", help: "many tasks in one ZeroMQ message" },
  highWaterMark: { type: "number", default: SOCKET_DEFAULTS.highWaterMark, min: 1, help: "tasks waiting per worker" },
} as const;
const summary = "Waits for workers, hands out tasks, and ends.";

await runProgram({ name: "zmq push-pull-ventilator", summary, args: ["url"], flags }, async (values, [given]) => {
  const url = given ?? `tcp://127.0.0.1:${values.port}`;
  const ventilator = await startPush({ ...values, url, isPacked: values.packed });
  let { count } = values;
  const close = () => {
    count = 0;
    return ventilator.close();
  };
  closeOnSignal({ close });
  sayReady("zmq ventilator", ventilator.url);
  if (!(await ventilator.waitForPeers(values.workers))) return;
  let task = 0;
  while (task < count) await ventilator.send(Buffer.from(`task ${++task}`))?.catch(() => task--);
  await ventilator.close();
  say(`handed out ${task} tasks`);
});
