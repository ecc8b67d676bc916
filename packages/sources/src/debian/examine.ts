/** Whether a kernel of the archive, or an installed one, can be live-patched and built for on this machine. */
import { archHere } from "@suture/arch";
import { archOfConfig } from "@suture/kernel";
import type { Task } from "@suture/task";
import { configurationOf } from "../configuration.ts";
import { attempt, type Finding, good, ofConfig, refusal, tools } from "../findings.ts";
import { type ListedKernel, listKernels } from "./list.ts";

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
            mend:
              kernel?.archived === true
                ? `apt-get install linux-image-${release}, or fetch it into the cache: suture prove fs/pipe.o --kernel ${release}`
                : "doctor --tree FOLDER reads that of its prepared source tree",
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
    ...(await tools(task, kernel?.compiler, arch)),
  ];
}

/** @property age what is to be said of the age of apt's lists */
type Listed = { kernel: ListedKernel | undefined; age: Finding[] } | { refusal: Finding };

async function listedAs(task: Task, release: string, cache: string): Promise<Listed> {
  const found = await attempt(task, "archive", () => listKernels(task, { cache }));
  if ("outcome" in found) return { refusal: found };
  const { refusal: refused, note } = found.lists;
  const kernel = [found.running, ...found.installed, ...found.archive].find((listed) => listed.release === release);
  const age: Finding[] =
    note === undefined || refused !== undefined ? [] : [{ what: "lists", outcome: "limited", found: note, mend: "apt-get update" }];
  // What is ready needs no archive.
  if (refused !== undefined && kernel?.cached === undefined) return { refusal: refusal(task, "archive", refused) };
  return { kernel, age };
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
