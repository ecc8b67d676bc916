/** The mirrors that the machine's apt is configured with, and what it says of their suites. */
import { SutureError } from "@suture/errors";
import { exists } from "@suture/files";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { MACHINE, runApt } from "./apt.ts";

export interface Mirrors {
  main: string;
  security: string;
}

export interface Target {
  uri: string;
  /** Suite or code name, as the configuration has it. */
  suite: string;
  /** Of the list's signed head: empty where there is no list. */
  label: string;
  list: string;
}

/** Where security fixes are first, for a machine that is configured without them. */
const SECURITY = "http://deb.debian.org/debian-security/";
const FORMAT = "$(REPO_URI)|$(RELEASE)|$(LABEL)|$(FILENAME)";

export async function aptTargets(task: Task): Promise<Target[]> {
  const { stdout } = await runApt(task, MACHINE, "apt-get", ["indextargets", "--format", FORMAT, "Created-By: Packages"]);
  return stdout.split("\n").flatMap((line) => {
    const [uri, suite, label, list] = line.split("|");
    return uri === undefined || suite === undefined || label === undefined || list === undefined ? [] : [{ uri, suite, label, list }];
  });
}

/** @throws ARCHIVE_NO_MIRROR */
export function mirrorsOf(targets: readonly Target[]): Mirrors {
  const of = (label: string, end: RegExp): string | undefined =>
    // Without a list it is not known whose it is.
    targets.find((target) => target.label === label || (target.label === "" || target.label.startsWith("$") ? end.test(target.uri) : false))
      ?.uri;
  const main = of("Debian", /\/debian\/?$/);
  if (main === undefined)
    throw fail("ARCHIVE_NO_MIRROR", `apt's sources are ${[...new Set(targets.map(({ uri }) => uri))].join(", ") || "none"}`);
  return { main, security: of("Debian-Security", /\/debian-security\/?$/) ?? SECURITY };
}

/** The suites whose lists the machine's apt has. Without apt: none. */
export async function machineSuites(task: Task): Promise<Set<string>> {
  try {
    const found = new Set<string>();
    for (const { suite, list } of await aptTargets(task)) if (await exists(list)) found.add(suite);
    return found;
  } catch (error) {
    if (error instanceof SutureError && error.code === "ARCHIVE_NO_APT") return new Set();
    throw error;
  }
}
