import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { startPull } from "@ipc/zmq";
import { Pull, Push } from "zeromq";

// Reads messages, by the example's sink or by a PULL socket alone, and sends how many came before an empty one to `back`.
const program = { name: "sink", summary: "A reader of the benchmark.", args: ["back"] };

await runProgram(
  { ...program, flags: { bare: { type: "switch", help: "zeromq alone" } } },
  async ({ bare }, [back = ""]) => {
    const answers = new Push({ linger: 0 });
    answers.connect(back);
    await (bare ? countBare(answers) : count(answers));
  },
);

async function countBare(answers: Push): Promise<void> {
  const socket = new Pull({ linger: 0 });
  await socket.bind("tcp://127.0.0.1:*");
  closeOnSignal({
    close() {
      socket.close();
      answers.close();
      return Promise.resolve();
    },
  });
  sayReady("sink", socket.lastEndpoint ?? "");
  let counted = 0;
  for await (const [message] of socket) {
    if (message?.length !== 0) counted++;
    else {
      await answers.send(String(counted));
      counted = 0;
    }
  }
}

async function count(answers: Push): Promise<void> {
  const sink = await startPull();
  closeOnSignal({
    async close() {
      await sink.close();
      answers.close();
    },
  });
  sayReady("sink", sink.url);
  let counted = 0;
  for await (const messages of sink) {
    for (const message of messages) {
      if (message.length !== 0) counted++;
      else {
        await answers.send(String(counted));
        counted = 0;
      }
    }
  }
}
