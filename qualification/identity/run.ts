/**
 * All functions of real objects of a kernel are replaced by themselves, in a virtual machine under a workload, one object after another and several
 * together.
 */
import type { KernelContext } from "@suture/kbuild";
import { pick } from "@suture/kbuild";
import { WorkloadGuests } from "../guest/workload-guests.ts";
import { COMMON } from "../options.ts";
import { newestCloud, type Run } from "../run.ts";
import { buildIdentity, type IdentityMore } from "./build.ts";

export const FOLDERS = ["kernel", "mm", "fs", "net", "block", "lib", "drivers"];
/** An object may have no functions, or be compiled without ftrace entries: then nothing in it can be replaced. */
const NOTHING = ["BUILD_REBUILD", "BUILD_NOTHING_CHANGED"];

export const identity: Run = {
  name: "identity",
  what: "all functions of real objects replaced by themselves, in a virtual machine under a workload",
  words: {
    kernel: COMMON.kernel,
    objects: { value: "OBJECT,...", what: "these, instead of some that the seed chooses" },
    sample: { ...COMMON.sample, what: "so many objects, of each of the kernel's large folders alike", is: "40", short: "2" },
    seed: COMMON.seed,
    together: { value: "N", what: "so many livepatches loaded together, in a second pass", is: "8" },
    // Each function that is replaced stops all processors several times: that takes an emulated guest with two twice as long.
    cpus: { value: "N", what: "processors of the guest", is: "1" },
  },
  kernel: newestCloud,
  async run(context) {
    const { task, cache, options, folder } = context;
    const kernel = await context.kernel();
    const objects = options.list("objects");
    const all = objects.length > 0 ? objects : chosen(kernel, options.number("sample"), options.number("seed"));
    const guests = new WorkloadGuests(task, kernel.target, { cache, folder, cpus: options.number("cpus") });
    const loaded: { object: string; module: string }[] = [];
    const left: { object: string; why: string; name: string }[] = [];
    let functions = 0;
    try {
      for (const object of all) {
        const result = await context.item(object, async () => {
          const built = await buildIdentity(task, kernel, object, folder);
          if (built.module === undefined)
            return { good: NOTHING.includes(built.refusal?.code ?? ""), outcome: "refused", ...built.refusal, more: built.more };
          const { outcome, why } = await guests.load([built.module]);
          return { good: outcome === "passed", outcome, why, more: { ...built.more, module: built.module } };
        });
        const more = result?.more as IdentityMore | undefined;
        functions += more?.functions ?? 0;
        for (const one of more?.notTaken ?? []) left.push({ object, ...one });
        if (result?.outcome === "passed" && more?.module !== undefined) loaded.push({ object, module: more.module });
      }
      const size = options.number("together");
      for (let at = 0; at < loaded.length; at += size) {
        const group = loaded.slice(at, at + size);
        if (group.length < 2) continue;
        await context.item(`together: ${group.map(({ object }) => object).join(" ")}`, async () => {
          const { outcome, why } = await guests.load(group.map(({ module }) => module));
          return { good: outcome === "passed", outcome, why };
        });
      }
    } finally {
      await guests.stop();
      context.more = { functions, notTaken: reasons(left) };
    }
  },
};

function chosen({ commands: { builtIn } }: KernelContext, count: number, seed: number): string[] {
  const each = Math.ceil(count / FOLDERS.length);
  const lists = FOLDERS.map((name) =>
    pick(
      builtIn.filter((object) => object.startsWith(`${name}/`)),
      each,
      seed,
    ),
  );
  return Array.from({ length: each }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1)))
    .flat()
    .slice(0, count);
}

/** Functions that were left out, by the reason, whatever the names in it. */
function reasons(left: readonly { object: string; name: string; why: string }[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { object, name, why } of left) {
    const reason = why.replaceAll(name, "it");
    found[reason] = [...(found[reason] ?? []), `${object}:${name}`];
  }
  return found;
}
