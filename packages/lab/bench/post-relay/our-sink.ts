// The example's sink, without printing a line a post. Its record is a temporary file.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeOnSignal, runProgram, sayReady } from "@ipc/core/process";
import { startSink } from "@ipc/post-relay";

await runProgram({ name: "post-relay sink", summary: "What the benchmark measures.", flags: {} }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "post-relay-"));
  const sink = await startSink(join(folder, "posts.log"), { maxKeys: 10_000_000 });
  closeOnSignal({
    async close() {
      await sink.close();
      await rm(folder, { recursive: true });
    },
  });
  sayReady("post-relay sink", sink.url);
});
