/** The changelog that a package holds. */
import { basename } from "node:path";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";

/** The packed changelog of a .deb: linux-image and linux-source packages have one each. @throws ACCOUNT_CHANGELOG */
export async function changelogOfPackage(task: Task, deb: string, folder: string): Promise<string> {
  const [name = ""] = basename(deb).split("_");
  const member = `./usr/share/doc/${name}/changelog.gz`;
  const script = 'dpkg-deb --fsys-tarfile "$1" | tar --extract --directory="$2" --no-same-owner "$3"';
  try {
    await run(task, ["bash", "-o", "pipefail", "-c", script, "changelog", deb, folder, member]);
  } catch (cause) {
    task.check();
    throw fail("ACCOUNT_CHANGELOG", `the package has no ${member.slice(2)}, or is damaged`, { file: deb }, { cause });
  }
  return `${folder}/${member.slice(2)}`;
}
