/** What the archive has of kernels, as apt on this machine knows it: its configuration, mirrors and signatures are those of the machine. */
import { SutureError } from "@suture/errors";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import { ageNote, listsPublished } from "./lists.ts";
import { type Package, parseRecords } from "./packages.ts";

/** The packages that a kernel is built from, and what they name. */
const NAMES = "^linux-(image|headers|source|kbuild|compiler)-";
const DEBUG_IMAGE = /-dbg$/;

export class Archive {
  /** What is to be said of the age of apt's lists. */
  readonly note: string | undefined;
  /** When the newest of them was published. */
  readonly published: Date | undefined;
  readonly #byName: ReadonlyMap<string, readonly Package[]>;

  constructor(packages: readonly Package[], published?: Date, now: number = Date.now()) {
    const byName = new Map<string, Package[]>();
    for (const p of packages) byName.set(p.name, [...(byName.get(p.name) ?? []), p]);
    this.#byName = byName;
    this.published = published;
    this.note = ageNote(published, now);
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
    // 100: apt knows no such package.
    const { stdout } = await apt(task, ["apt-cache", "show", NAMES], [100]);
    const published = await listsPublished();
    const packages = parseRecords(stdout).filter((p) => !DEBUG_IMAGE.test(p.name));
    stage.result(`${new Set(packages.filter((p) => p.name.startsWith("linux-image-")).map((p) => p.name)).size} kernel packages`);
    return new Archive(packages, published);
  });
}

/** @throws ARCHIVE_NO_APT, COMMAND_* */
export async function apt(task: Task, argv: readonly string[], accept: number[]) {
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
