/** Packages' files unpacked into directories. */
import { mkdir } from "node:fs/promises";
import { run, type Task } from "@suture/task";
import { mortal } from "../cache/store.ts";
import { fail } from "../errors.ts";

export async function unpackDeb(task: Task, deb: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await run(task, mortal("dpkg-deb", "--extract", deb, directory));
}

/**
 * The tree that a linux-source package holds as a tar file. It goes through pipes: nothing is written but the tree itself.
 * The tar file has blocks that are unpacked side by side.
 */
export async function unpackSource(task: Task, deb: string, directory: string): Promise<void> {
  // Each program of the pipes ends with the shell, which ends with us.
  const script = `set -o pipefail
mortal() { exec setpriv --pdeathsig KILL "$@"; }
name=$(mortal dpkg-deb --fsys-tarfile "$1" | mortal tar --list | grep -E '^\\./usr/src/linux-source-[^/]*\\.tar\\.xz$')
[ "$name" != "" ] || { echo "no usr/src/linux-source-*.tar.xz in it" >&2; exit 1; }
mortal dpkg-deb --fsys-tarfile "$1" | mortal tar --extract --to-stdout "$name" | mortal xz --decompress --stdout --threads=0 |
  mortal tar --extract --directory="$2" --strip-components=1 --no-same-owner --no-same-permissions`;
  const { stderr } = await run(task, mortal("bash", "-c", script, "unpack", deb, directory));
  if (stderr.trim() !== "") throw fail("SOURCE_TREE", `unpacking the source said: ${stderr.trim()}`, { file: deb });
}
