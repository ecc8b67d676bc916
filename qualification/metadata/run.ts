/** Files of a signed repository are changed in every way: none is taken for another. The test of packages/trust does it, as often as is said here. */
import { run as runProgram } from "@suture/task";
import { COMMON } from "../options.ts";
import { ROOT, type Run } from "../run.ts";

export const metadata: Run = {
  name: "metadata",
  what: "of so many changed files of a signed repository none is taken for another, and each refusal has a code",
  words: { count: { value: "N", what: "so many changes, in parts of 5000", is: "100000", short: "2000" }, seed: COMMON.seed },
  async run(context) {
    const { task, options } = context;
    const [count, seed] = [options.number("count"), options.number("seed")];
    const each = Math.min(count, 5000);
    for (let part = 0; part * each < count; part++)
      await context.item(`part ${part}`, async () => {
        const { code, stdout, stderr } = await runProgram(
          task,
          ["npx", "vitest", "run", "--project", "unit", "packages/trust/src/client/mutations"],
          {
            cwd: ROOT,
            env: { SUTURE_MUTATIONS: String(each), SUTURE_SEED: String(seed + part), NO_COLOR: "1" },
            accept: [1],
          },
        );
        const said = /^\d+ mutations: .*$/m.exec(stdout)?.[0] ?? (stderr + stdout).slice(0, 3000);
        return { good: code === 0, outcome: code === 0 ? "refused or the same" : "failed", why: said };
      });
  },
};
