/**
 * The kernel's own self-tests of its livepatch core, from its source package, with their modules built for a stock kernel: in a guest as they come, and
 * once more with Suture in the place of modprobe and sysfs, the kernel's log held against the one that they expect.
 */
import { COMMON } from "../options.ts";
import { newestCloud, type Run } from "../run.ts";
import { type Driver, SelfTests } from "./selftests.ts";

const DRIVERS: readonly Driver[] = ["as they come", "through suture"];
/** The fewest that show both. */
const SHORT = "test-callbacks.sh";

export const selftests: Run = {
  name: "selftests",
  what: "the kernel's own self-tests of livepatching, as they come and through suture",
  words: { kernel: COMMON.kernel },
  needs: { modprobe: "kmod" },
  kernel: newestCloud,
  async run(context) {
    const tests = await SelfTests.of(context.task, context.cache, await context.target());
    const scripts = context.options.flag("short") ? tests.scripts.filter((script) => script !== SHORT).slice(0, 1) : tests.scripts;
    for (const driver of DRIVERS) {
      const open = scripts.filter((script) => {
        const name = `${script}, ${driver}`;
        if (context.isWanted(name)) context.names.add(name);
        return context.isWanted(name) && context.kept.get(name) === undefined;
      });
      if (open.length === 0) continue;
      for await (const { script, verdict, tests: each, why, seconds } of tests.run(driver, open))
        context.add({
          name: `${script}, ${driver}`,
          good: verdict !== "not ok",
          outcome: verdict,
          ...(why === "" ? {} : { why }),
          ms: seconds * 1000,
          more: { tests: each },
        });
    }
  },
};
