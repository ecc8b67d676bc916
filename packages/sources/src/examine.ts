/** Whether a kernel can be live-patched and built for on this machine and, if not, which option or tool is missing, with what mends it. */
import { SutureError } from "@suture/errors";
import { onPath } from "@suture/files";
import { type KernelConfig, livepatchObstacles } from "@suture/kernel";
import { run, type Task } from "@suture/task";
import { openCache } from "./cache/store.ts";
import { configurationOf } from "./configuration.ts";
import { type ListedKernel, listKernels } from "./debian/list.ts";
import { compilerOf } from "./tree/compiler.ts";
import { preparedTree } from "./tree/prepared.ts";

export interface Finding {
  what: string;
  /** "bad" keeps livepatches from being built or loaded; "limited" takes something away. */
  outcome: "good" | "limited" | "bad";
  found: string;
  /** Empty where nothing is to be mended. */
  mend: string;
}

const good = (what: string, found: string): Finding => ({ what, outcome: "good", found, mend: "" });

/** Whether the cache can be worked in: each build begins with it. @throws CANCELLED */
export async function examineCache(task: Task, cache: string): Promise<Finding> {
  return await attempt(task, "cache", async () => {
    await openCache(cache);
    return good("cache", cache);
  });
}

/** A kernel of the archive, or an installed one. @throws CANCELLED, KERNEL_BAD_CONFIG */
export async function examineKernel(task: Task, release: string, { cache }: { cache: string }): Promise<Finding[]> {
  const [configuration, listed] = await Promise.all([configurationOf(release, cache), listedAs(task, release, cache)]);
  const kernel = "refusal" in listed ? undefined : listed.kernel;
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
          ...ofConfig(configuration.config, "boot a kernel that has it: apt-get install linux-image-amd64, and reboot"),
        ]),
    ...(ready ? [good("source", "ready in the cache")] : ofArchive(release, listed)),
    ...(await tools(task, kernel?.compiler)),
  ];
}

/** A tree that somebody prepared. @throws CANCELLED */
export async function examineTree(task: Task, directory: string): Promise<Finding[]> {
  try {
    const { release, config, source, outputs } = await preparedTree(directory);
    const where = source === outputs ? directory : `${directory}, of the source ${source}`;
    const found: Finding[] = [good("tree", `${release} in ${where}`), ...ofConfig(config, configMend(directory))];
    const compiler = await attempt(task, "compiler", () => compilerOf(task, config, undefined, directory));
    found.push(typeof compiler === "string" ? good("compiler", compiler) : compiler);
    if (typeof compiler === "string" && !config.enabled("CONFIG_DEBUG_INFO_BTF")) found.push(...(await typesBy(task, compiler)));
    return [...found, ...(await tools(task, undefined))];
  } catch (error) {
    return [refusal(task, "tree", error), ...(await tools(task, undefined))];
  }
}

const OLDEST_WITH_TYPES = 12;

async function typesBy(task: Task, compiler: string): Promise<Finding[]> {
  const { stdout } = await run(task, [compiler, "-dumpfullversion"]);
  if (Number.parseInt(stdout, 10) >= OLDEST_WITH_TYPES) return [good("types", `${compiler} writes down those of the headers`)];
  return [
    {
      what: "types",
      outcome: "bad",
      found: `the kernel brings none, and ${compiler} ${stdout.trim()} does not know -gbtf`,
      mend: "build the kernel with CONFIG_DEBUG_INFO_BTF=y, or with gcc 12 or newer",
    },
  ];
}

function configMend(directory: string): (option: string) => string {
  return (option) => {
    const [name = "", value] = option.split(" or ")[0]?.split("=") ?? [];
    return `${directory}/scripts/config --file ${directory}/.config ${value === "n" ? "-d" : "-e"} ${name}; then build and boot that kernel`;
  };
}

function ofConfig(config: KernelConfig, mend: string | ((option: string) => string)): Finding[] {
  const obstacles = livepatchObstacles(config);
  const found = obstacles.map(({ option, outcome, why }) => ({
    what: "option",
    outcome,
    found: `${option} is needed: ${why}`,
    mend: typeof mend === "string" ? mend : mend(option),
  }));
  const bad = obstacles.filter(({ outcome }) => outcome === "bad").length;
  return bad === 0 ? [good("livepatching", "the kernel's options allow it"), ...found] : found;
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

/** What building and trying run, and the package that has it. */
const TOOLS: readonly (readonly [program: string, pack: string, needed: boolean])[] = [
  ["make", "make", true],
  ["ld", "binutils", true],
  ["setpriv", "util-linux", true],
  ["xz", "xz-utils", true],
  ["zstd", "zstd", true],
  ["patch", "patch", true],
  ["qemu-system-x86_64", "qemu-system-x86", false],
  ["busybox", "busybox-static", false],
];

async function tools(task: Task, compiler: ListedKernel["compiler"]): Promise<Finding[]> {
  task.check();
  const found: Finding[] = [];
  if (compiler !== undefined)
    found.push(
      compiler.installed
        ? good("compiler", compiler.name)
        : { what: "compiler", outcome: "bad", found: `${compiler.name} is not installed`, mend: `apt-get install ${compiler.name}` },
    );
  for (const [program, pack, needed] of TOOLS)
    if (!(await onPath(program)))
      found.push({
        what: "tools",
        outcome: needed ? "bad" : "limited",
        found: `there is no ${program}${needed ? "" : ": livepatches cannot be tried here"}`,
        mend: `apt-get install ${pack}`,
      });
  return found.some(({ what }) => what === "tools") ? found : [...found, good("tools", "all that building and trying take")];
}

async function attempt<T>(task: Task, what: string, work: () => Promise<T>): Promise<T | Finding> {
  try {
    return await work();
  } catch (error) {
    return refusal(task, what, error);
  }
}

function refusal(task: Task, what: string, error: unknown): Finding {
  task.check();
  if (!(error instanceof SutureError)) throw error;
  return { what, outcome: "bad", found: `${error.code}: ${error.message}`, mend: error.mend };
}
