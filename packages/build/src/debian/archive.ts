/** What the archive has of kernels, as apt on this machine knows it: its configuration, mirrors and signatures are those of the machine. */
import { readdir } from "node:fs/promises";
import { SutureError } from "@suture/errors";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import { type Package, parseRecords } from "./packages.ts";

/** The packages that a kernel is built from, and what they name. */
const NAMES = "^linux-(image|headers|source|kbuild|compiler)-";
const DEBUG_IMAGE = /-dbg$/;
const LISTS = "/var/lib/apt/lists";
const UPDATE = ["apt-get", "--quiet", "update"];

export class Archive {
  readonly #byName: ReadonlyMap<string, readonly Package[]>;

  constructor(packages: readonly Package[]) {
    const byName = new Map<string, Package[]>();
    for (const p of packages) byName.set(p.name, [...(byName.get(p.name) ?? []), p]);
    this.#byName = byName;
  }

  /** All versions of a package, the newest first. */
  versions(name: string): readonly Package[] {
    return this.#byName.get(name) ?? [];
  }

  names(): readonly string[] {
    return [...this.#byName.keys()];
  }
}

/** @throws ARCHIVE_NO_APT, ARCHIVE_NO_LISTS */
export async function readArchive(task: Task): Promise<Archive> {
  return task.stage("archive", async (stage) => {
    if (!(await hasLists())) {
      stage.note("apt-get update");
      await update(task);
    }
    // 100: apt knows no such package.
    const { stdout } = await apt(task, ["apt-cache", "show", NAMES], [100]);
    const packages = parseRecords(stdout).filter((p) => !DEBUG_IMAGE.test(p.name));
    stage.result(`${new Set(packages.filter((p) => p.name.startsWith("linux-image-")).map((p) => p.name)).size} kernel packages`);
    return new Archive(packages);
  });
}

/** Whether apt has an index of any archive. */
async function hasLists(): Promise<boolean> {
  const names = await readdir(LISTS).catch(() => []);
  return names.some((name) => /_Packages(\.|$)/.test(name));
}

async function update(task: Task): Promise<void> {
  const root = process.getuid?.() === 0;
  const argv = root ? UPDATE : ["sudo", "--non-interactive", ...UPDATE];
  try {
    await run(task, argv);
  } catch (error) {
    task.check();
    throw fail(
      "ARCHIVE_NO_LISTS",
      `apt has no package lists, and fetching them failed: ${aptSaid(error)}`,
      { file: LISTS },
      { cause: error },
    );
  }
}

async function apt(task: Task, argv: readonly string[], accept: number[]) {
  try {
    return await run(task, argv, { accept });
  } catch (error) {
    if (error instanceof SutureError && error.code === "COMMAND_MISSING")
      throw fail("ARCHIVE_NO_APT", "there is no apt-cache on this machine", {}, { cause: error });
    throw error;
  }
}

/** The errors of what apt printed, or all of it. */
export function aptSaid(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const errors = text.split("\n").filter((line) => line.startsWith("E: "));
  return errors.length === 0 ? text : errors.map((line) => line.slice(3).trim()).join("; ");
}
