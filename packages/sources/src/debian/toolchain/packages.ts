/** The packages that a compiler and what it runs are made of, in the archive of a suite. */
import { thisArch } from "@suture/arch";
import type { SutureError } from "@suture/errors";
import { compareVersions } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "../../errors.ts";
import { type Apt, runApt } from "../apt.ts";
import type { Downloadable } from "../download.ts";
import { type Dependency, type Package, parseRecords } from "../packages.ts";

/** What the kernel's own programs (objtool) are linked with; one is the other's new name. */
const LIBRARIES = [["libelf1t64", "libelf1"]];
/** Names of packages that nothing here runs or reads: documents, plug-ins of debuggers, profilers, character sets, passwords. */
const LEFT_OUT = /^(?:gcc-\d+-base|libcc1-0|binutils|binutils-common|libgprofng0|libc-gconv-modules-extra|libcrypt1)$/;
/** Headers of the compiler, whose package wants the libraries of programs that it compiles. */
const ENDS = /^libgcc-\d+-dev$/;

export interface ToolchainPackages {
  compiler: Package;
  binutils: Package;
  all: Downloadable[];
}

/** The versions of a compiler that the archive has, the newest first. */
export async function compilerVersions(task: Task, apt: Apt, compiler: string): Promise<string[]> {
  return (await show(task, apt, [compiler])).filter((p) => p.download !== undefined).map((p) => p.version);
}

/** Of the versions that there are, the one that was meant, else the nearest: the next newer one, or the newest. */
export function nearestVersion(versions: readonly string[], wanted: string): string | undefined {
  const sorted = [...versions].sort(compareVersions);
  return sorted.find((version) => compareVersions(version, wanted) >= 0) ?? sorted.at(-1);
}

/** @throws TOOLCHAIN_PACKAGE */
export async function toolchainPackages(task: Task, apt: Apt, compiler: string, version: string): Promise<ToolchainPackages> {
  const records = new Map<string, readonly Package[]>();
  const read = async (names: readonly string[]): Promise<void> => {
    const missing = names.filter((name) => !records.has(name));
    if (missing.length === 0) return;
    const found = await show(task, apt, missing);
    for (const name of missing)
      records.set(
        name,
        found.filter((p) => p.name === name),
      );
  };
  const chosen = new Map<string, Package>();
  const exact = (name: string): Dependency => [{ name, relation: "=", version }];
  const { binutils: named } = thisArch().debian;
  let open: Dependency[] = [
    exact(compiler),
    [{ name: named, relation: undefined, version: undefined }],
    ...LIBRARIES.map((names) => names.map((name) => ({ name, relation: undefined, version: undefined }))),
  ];
  while (open.length > 0) {
    await read(open.flatMap((entry) => entry.map(({ name }) => name)));
    const next: Dependency[] = [];
    for (const entry of open) {
      if (entry.some(({ name }) => chosen.has(name))) continue;
      const p = entry.map((one) => versionFor(records.get(one.name) ?? [], one)).find((found) => found !== undefined);
      if (p === undefined) throw missing(apt, entry);
      chosen.set(p.name, p);
      if (!ENDS.test(p.name)) next.push(...p.depends.filter((wanted) => !wanted.some(({ name }) => LEFT_OUT.test(name))));
    }
    open = next;
  }
  const binutils = chosen.get(named);
  const itself = chosen.get(compiler);
  if (binutils === undefined || itself === undefined) throw missing(apt, exact(compiler));
  return { compiler: itself, binutils, all: [...chosen.values()].map((p) => downloadable(apt, p)) };
}

function versionFor(versions: readonly Package[], { relation, version }: Dependency[number]): Package | undefined {
  return versions.find((p) => p.download !== undefined && (relation !== "=" || p.version === version));
}

function missing(apt: Apt, entry: Dependency): SutureError {
  const wanted = entry.map(({ name, relation, version }) => (relation === undefined ? name : `${name} (${relation} ${version})`));
  return fail("TOOLCHAIN_PACKAGE", `${apt.suite?.name ?? "what apt knows"} has no ${wanted.join(" and no ")}`, { file: wanted[0] });
}

function downloadable(apt: Apt, p: Package): Downloadable {
  if (p.download === undefined) throw missing(apt, [{ name: p.name, relation: "=", version: p.version }]);
  return { ...p, download: p.download };
}

async function show(task: Task, apt: Apt, names: readonly string[]): Promise<Package[]> {
  // 100: of none of the names is there a package.
  const { stdout } = await runApt(task, apt, "apt-cache", ["show", ...names], { accept: [100] });
  return parseRecords(stdout);
}
