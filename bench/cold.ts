/** The first build on a machine, from an empty cache: downloads, source, rules and all. Against what unpacking the source alone takes. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EDITS, writePatch } from "./edits.ts";
import { row } from "./text.ts";

export function cold(release: string, tree: string, folder: string, suture: string): void {
  console.log("\n(b) cold build from an empty cache");
  const [edit] = EDITS;
  const patch = edit === undefined ? undefined : writePatch(tree, folder, edit);
  if (patch === undefined) return;
  const cache = mkdtempSync(join(folder, "cache-"));
  try {
    const started = performance.now();
    const { status, stderr } = spawnSync(suture, ["build", patch, "--kernel", release, "--output", join(folder, "cold.ko")], {
      encoding: "utf8",
      env: { ...process.env, XDG_CACHE_HOME: cache },
    });
    const all = performance.now() - started;
    if (status !== 0) throw new Error(`the cold build ended with ${status}:\n${stderr}`);
    console.log(stderr.trimEnd());
    const archive = sourceArchive(cache);
    const floor = archive === undefined ? undefined : unpackAlone(archive, folder);
    console.log(row(["in all", `${(all / 1000).toFixed(1)} s`]));
    if (floor !== undefined)
      console.log(row(["xz of the source alone", `${(floor / 1000).toFixed(1)} s`, `ratio ${(all / floor).toFixed(2)}`]));
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

function sourceArchive(cache: string): string | undefined {
  const debs = join(cache, "suture", "debs");
  const name = readdirSync(debs).find((file) => file.startsWith("linux-source-"));
  return name === undefined ? undefined : join(debs, name);
}

function unpackAlone(deb: string, folder: string): number {
  const started = performance.now();
  spawnSync("sh", ["-c", `dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards '*.tar.xz' | xz -dc >/dev/null`, "sh", deb], { cwd: folder });
  return performance.now() - started;
}
