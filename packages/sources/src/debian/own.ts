/** The kernels that this machine's Debian gives to machines by itself: the one place that says which series that is. */
import { thisArch } from "@suture/arch";
import type { Task } from "@suture/task";
import { fail } from "../errors.ts";
import { MACHINE, runApt } from "./apt.ts";
import { newestKernel } from "./newest.ts";

/** Of the flavour that is smallest, and boots fastest in a virtual machine. */
const metaPackage = (): string => `linux-image-cloud-${thisArch().debian.name}`;

/** A release → those that differ from it only in what an update changes. */
export function seriesOf(release: string): RegExp {
  const [, version = "", rest = ""] = /^(\d+\.\d+)\.(.*)$/.exec(release) ?? [];
  if (version === "") throw fail("KERNEL_NOT_FOUND", `${metaPackage()} depends on a kernel whose release is not understood: ${release}`);
  // What follows a + names the Debian release, which no update changes.
  const words = rest.split(/(\+deb\d+)/).map((word) => (word.startsWith("+") ? `\\${word}` : word.replace(/\d+(?=[.-]|$)/g, "\\d+")));
  return new RegExp(`^${version.replace(".", "\\.")}\\.${words.join("")}$`);
}

/** What apt would install of the flavour's meta package, whatever else its archives have. @throws KERNEL_NOT_FOUND, ARCHIVE_NO_APT, COMMAND_* */
export async function ownSeries(task: Task): Promise<RegExp> {
  const { stdout } = await runApt(task, MACHINE, "apt-cache", ["depends", metaPackage()], { accept: [100] });
  const release = /^\s*Depends: linux-image-(\d\S*)$/m.exec(stdout)?.[1];
  if (release === undefined) throw fail("KERNEL_NOT_FOUND", `apt on this machine knows no ${metaPackage()} that depends on a kernel`);
  return seriesOf(release);
}

/** The newest of this Debian's own kernels that can be built for. @throws KERNEL_NOT_FOUND, ARCHIVE_*, COMMAND_* */
export async function ownKernel(task: Task): Promise<string> {
  return newestKernel(task, await ownSeries(task));
}
