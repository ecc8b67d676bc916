/** Whether a kernel of the archive, or an installed one, can be live-patched and built for on this machine. */
import { archHere } from "@suture/arch";
import { archOfConfig } from "@suture/kernel";
import type { Task } from "@suture/task";
import { configurationOf } from "../configuration.ts";
import { attempt, type Finding, good, ofConfig, refusal, tools } from "../findings.ts";
import { hostCompiler } from "./host-compiler.ts";
import { type KernelList, type ListedCompiler, type ListedKernel, listKernels } from "./list.ts";
import { suitesOf } from "./suites.ts";

/** A kernel of the archive, or an installed one. @throws CANCELLED, KERNEL_BAD_CONFIG */
export async function examineKernel(task: Task, release: string, { cache }: { cache: string }): Promise<Finding[]> {
  const [configuration, listed] = await Promise.all([configurationOf(release, cache), listedAs(task, release, cache)]);
  const kernel = "refusal" in listed ? undefined : listed.kernel;
  const arch = (configuration === undefined ? undefined : archOfConfig(configuration.config)) ?? archHere();
  const ready = kernel?.cached !== undefined;
  return [
    ...(configuration === undefined
      ? [
          {
            what: "configuration",
            outcome: "limited" as const,
            found: `the configuration of ${release} is not on this machine`,
            mend: configurationMend(release, listed),
          },
        ]
      : [
          good("configuration", configuration.file),
          ...ofConfig(
            configuration.config,
            `boot a kernel that has it: apt-get install linux-image-${arch?.debian.name ?? "FLAVOUR"}, and reboot`,
          ),
        ]),
    ...(ready ? [good("source", "ready in the cache")] : ofArchive(release, listed)),
    ...(kernel?.compiler === undefined ? [] : [await compilerFinding(task, kernel.compiler)]),
    ...(await tools(task, arch)),
  ];
}

/** One that is not installed is fetched; then the programs that the build makes for itself need another. */
async function compilerFinding(task: Task, { name, installed, cached }: ListedCompiler): Promise<Finding> {
  if (installed) return good("compiler", name);
  const [version] = cached;
  const host = await attempt(task, "compiler", hostCompiler);
  if (typeof host !== "string") return host;
  return good(
    "compiler",
    version === undefined ? `${name} is not installed, and is fetched into the cache` : `${name} ${version}, in the cache`,
  );
}

function configurationMend(release: string, listed: Listed): string {
  if ("refusal" in listed || listed.kernel?.archived !== true) return "doctor --tree FOLDER reads that of its prepared source tree";
  const fetch = `suture prove fs/pipe.o --kernel ${release}`;
  return listed.ofMachine
    ? `apt-get install linux-image-${release}, or fetch it into the cache: ${fetch}`
    : `fetch it into the cache: ${fetch}`;
}

/** @property age what is to be said of the age of apt's lists @property ofMachine whether the machine's apt knows it */
type Listed = { kernel: ListedKernel | undefined; age: Finding[]; ofMachine: boolean } | { refusal: Finding };

async function listedAs(task: Task, release: string, cache: string): Promise<Listed> {
  const known = await attempt(task, "archive", () => listKernels(task, { cache }));
  if ("outcome" in known) return { refusal: known };
  const of = (list: KernelList): ListedKernel | undefined =>
    [list.running, ...list.installed, ...list.archive].find((listed) => listed.release === release);
  const here = of(known);
  const enough = here?.cached !== undefined || here?.archived === true;
  const found = enough ? known : await attempt(task, "archive", () => listKernels(task, { cache, suites: suitesOf(release) }));
  if ("outcome" in found) return { refusal: found };
  const kernel = of(found);
  const suite = found.lists.suites.find((listed) => listed.suite === kernel?.suite);
  const unread = kernel?.archived === true ? undefined : found.lists.suites.find(({ refusal: why }) => why !== undefined);
  const refused = unread?.refusal ?? (suite === undefined ? found.lists.refusal : undefined);
  const note = suite === undefined ? found.lists.note : suite.note;
  const age: Finding[] =
    note === undefined || refused !== undefined
      ? []
      : [{ what: "lists", outcome: "limited", found: note, mend: suite === undefined ? "apt-get update" : "" }];
  // What is ready needs no archive.
  if (refused !== undefined && kernel?.cached === undefined) return { refusal: refusal(task, "archive", refused) };
  return { kernel, age, ofMachine: suite === undefined };
}

function ofArchive(release: string, of: Listed): Finding[] {
  if ("refusal" in of) return [of.refusal];
  const { kernel: listed, age } = of;
  const tree = "or give its prepared source tree with --tree";
  const bad = (what: string, found: string, mend: string): Finding => ({ what, outcome: "bad", found, mend });
  if (listed === undefined || !listed.archived)
    return [bad("source", `the archive does not have ${release}`, `suture kernels lists those that it has; ${tree}`), ...age];
  const found: Finding[] = [
    ...age,
    listed.source
      ? good("source", "in the archive")
      : bad("source", "the archive does not have its source any more", `boot a newer kernel; ${tree}`),
    listed.headers
      ? good("headers", "in the archive")
      : bad("headers", "the archive does not have its headers any more", `boot a newer kernel; ${tree}`),
  ];
  if (listed.featureset !== undefined)
    found.push({
      what: "source",
      outcome: "limited",
      found: `it is built with patches of ${listed.featureset}, which only Debian's source package has; mirrors drop those of older versions first`,
      mend: `suture prove fs/pipe.o --kernel ${release} shows whether they can be had`,
    });
  return found;
}
