/** What the archive has of kernels, as apt knows it: with the lists of the machine, or of one suite. */
import type { Task } from "@suture/task";
import { type Apt, MACHINE, runApt } from "./apt.ts";
import { ageNote, listsPublished } from "./lists.ts";
import { type Package, parseRecords } from "./packages.ts";

/** The packages that a kernel is built from, and what they name. */
const NAMES = "^linux-(image|binary|modules|base|headers|source|kbuild|compiler)-";
const DEBUG_IMAGE = /-dbg$/;

export class Archive {
  /** What is to be said of the age of apt's lists. */
  readonly note: string | undefined;
  /** When the newest of them was published. */
  readonly published: Date | undefined;
  /** Which apt has it. */
  readonly apt: Apt;
  readonly #byName: ReadonlyMap<string, readonly Package[]>;

  constructor(packages: readonly Package[], published?: Date, now: number = Date.now(), apt: Apt = MACHINE) {
    const byName = new Map<string, Package[]>();
    for (const p of packages) byName.set(p.name, [...(byName.get(p.name) ?? []), p]);
    this.#byName = byName;
    this.published = published;
    this.apt = apt;
    this.note = ageNote(published, now, apt.suite?.name);
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
export async function readArchive(task: Task, apt: Apt = MACHINE): Promise<Archive> {
  return task.stage("archive", async (stage) => {
    // 100: apt knows no such package.
    const { stdout } = await runApt(task, apt, "apt-cache", ["show", NAMES], { accept: [100] });
    const published = await listsPublished(apt.lists);
    const packages = parseRecords(stdout).filter((p) => !DEBUG_IMAGE.test(p.name));
    stage.result(
      `${new Set(packages.filter((p) => p.name.startsWith("linux-image-")).map((p) => p.name)).size} kernel packages${apt.suite === undefined ? "" : ` of ${apt.suite.name}`}`,
    );
    return new Archive(packages, published, Date.now(), apt);
  });
}
