import { runProgram } from "@ipc/core/process";
import { say } from "@ipc/core/terminal";
import { copyExample } from "../src/copy/copy.ts";
import { repositoryRoot } from "../src/examples.ts";
import { interruptible } from "../src/interrupt.ts";

await runProgram(
  {
    name: "pnpm copy",
    summary: "Writes an example into a folder that stands alone, with the files of core that it uses.",
    args: ["name", "folder"],
    flags: { root: { type: "text", help: "a repository other than this one" } },
  },
  async ({ root = repositoryRoot }, [name, target]) => {
    // pnpm runs this in the root of the repository; INIT_CWD is where the user is.
    const from = process.env["INIT_CWD"] ?? process.cwd();
    const { folder, files } = await interruptible((signal) =>
      copyExample({ name, folder: target, from, root, signal }),
    );
    say(`Copied ${name} to ${folder}: ${files.length} files. Next:\n`);
    say(`  cd ${quote(target ?? folder)}\n  npm install\n  npm start\n  npm test\n  npx tsc`);
  },
);

function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
