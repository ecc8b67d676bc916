/** The changelog that a package holds. */
import { basename, join } from "node:path";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";

/** Of packages that are Debian's alone, and of others. */
const NAMES = ["changelog.gz", "changelog.Debian.gz"];

/** The packed changelog of a .deb: all packages that are built of the kernel's source have it. @throws ACCOUNT_CHANGELOG */
export async function changelogOfPackage(task: Task, deb: string, folder: string): Promise<string> {
  const [name = ""] = basename(deb).split("_");
  const members = NAMES.map((one) => `./usr/share/doc/${name}/${one}`);
  const script = 'dpkg-deb --fsys-tarfile "$1" | tar --extract --directory="$2" --no-same-owner "$3"';
  let first: unknown;
  for (const member of members) {
    try {
      await run(task, ["bash", "-o", "pipefail", "-c", script, "changelog", deb, folder, member]);
      return join(folder, member);
    } catch (cause) {
      task.check();
      first ??= cause;
    }
  }
  const names = members.map((member) => member.slice(2)).join(" or ");
  throw fail("ACCOUNT_CHANGELOG", `the package has no ${names}, or is damaged`, { file: deb }, { cause: first });
}
