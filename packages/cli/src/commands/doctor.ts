import type { Finding } from "@suture/protocol";
import { doctorDocument } from "@suture/protocol";
import type { Task } from "@suture/task";
import type { AddCommand } from "../answer.ts";
import { fail } from "../errors.ts";
import { cacheDirectory } from "../kernel-option.ts";
import { safeText } from "../text.ts";

interface Options {
  kernel?: string;
  tree?: string;
}

export const doctorCommand: AddCommand = (program, run) => {
  program
    .command("doctor")
    .description("what this machine can do with livepatches and what it cannot, with the command that mends each")
    .option("--kernel <release>", "whether that kernel can be live-patched and built for here, and what is missing")
    .option("--tree <folder>", "the same for a kernel that was built in this tree")
    .action(
      run(async (task, options: Options) => {
        const found = await diagnose(task, options);
        return {
          document: doctorDocument.of({ findings: found }),
          text: safeText(doctorText(found)),
          code: found.some(({ outcome }) => outcome === "bad") ? 1 : 0,
        };
      }),
    );
};

async function diagnose(task: Task, { kernel, tree }: Options): Promise<Finding[]> {
  if (kernel !== undefined && tree !== undefined) throw fail("CLI_USAGE", "--kernel and --tree name two kernels");
  if (kernel === undefined && tree === undefined) {
    const { doctor, THIS_MACHINE } = await import("@suture/host");
    return doctor(task, THIS_MACHINE);
  }
  const { debianProvider, examineCache, treeProvider } = await import("@suture/sources");
  const cache = cacheDirectory();
  const provider = tree === undefined ? debianProvider({ cache }) : treeProvider({ tree, cache });
  const found = await provider.examine(task, kernel ?? "");
  return [...found, await examineCache(task, cache)];
}

function doctorText(found: readonly Finding[]): string {
  const width = Math.max(...found.map(({ what }) => what.length));
  return found
    .map(({ what, outcome, found: text, mend }) => {
      const line = `${outcome.padEnd(8)} ${what.padEnd(width)}  ${text}`;
      return mend === "" ? line : `${line}\n${" ".repeat(width + 11)}do: ${mend}`;
    })
    .join("\n");
}
