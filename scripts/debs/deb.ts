/** A .deb out of a folder: the same folder, version and time make the same bytes. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, lstatSync, lutimesSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { controlOf, type Package } from "./packages.ts";

/** The files of a package, in a folder that stands for the root of a system. */
export class Tree {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    mkdirSync(root, { recursive: true });
  }

  path(path: string): string {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    return full;
  }

  write(path: string, content: string | Uint8Array, mode = 0o644): void {
    writeFileSync(this.path(path), content, { mode });
  }

  /** As Debian has manual pages and changelogs. */
  writeGzip(path: string, content: string): void {
    const bytes = gzipSync(content, { level: 9 });
    // Which system it was made on.
    bytes[9] = 0xff;
    this.write(`${path}.gz`, bytes);
  }

  link(path: string, target: string): void {
    symlinkSync(target, this.path(path));
  }
}

export interface Built {
  one: Package;
  version: string;
  /** Seconds since 1970: of every file in it. */
  time: number;
  conffiles?: readonly string[];
  /** Of xz; 6 unless given. */
  level?: number;
  /** preinst and such. */
  scripts?: Readonly<Record<string, string>>;
}

/** @returns the package, in `out` */
export function buildDeb(tree: Tree, { one, version, time, level = 6, conffiles = [], scripts = {} }: Built, out: string): string {
  const files = entriesIn(tree.root).filter((path) => lstatSync(path).isFile());
  const kib = files.reduce((sum, path) => sum + Math.ceil(lstatSync(path).size / 1024), 0);
  const md5 = (path: string): string => createHash("md5").update(readFileSync(path)).digest("hex");
  const sums = files.map((path) => `${md5(path)}  ${relative(tree.root, path)}\n`).join("");
  tree.write("DEBIAN/control", controlOf(one, version, kib));
  tree.write("DEBIAN/md5sums", sums);
  if (conffiles.length > 0) tree.write("DEBIAN/conffiles", conffiles.map((path) => `${path}\n`).join(""));
  for (const [name, text] of Object.entries(scripts)) tree.write(`DEBIAN/${name}`, text, 0o755);
  for (const path of [...entriesIn(tree.root), tree.root]) {
    const found = lstatSync(path);
    // Whatever the umask here.
    if (!found.isSymbolicLink()) chmodSync(path, found.isDirectory() || (found.mode & 0o100) !== 0 ? 0o755 : 0o644);
    lutimesSync(path, time, time);
  }
  mkdirSync(out, { recursive: true });
  const deb = join(out, `${one.name}_${version}_${one.architecture}.deb`);
  const argv = ["--root-owner-group", "--uniform-compression", "-Zxz", `-z${level}`, "--threads-max=1", "--build", tree.root, deb];
  const { status, stderr, error } = spawnSync("dpkg-deb", argv, {
    encoding: "utf8",
    env: { ...process.env, SOURCE_DATE_EPOCH: String(time), LC_ALL: "C" },
  });
  if (status !== 0) throw new Error(`dpkg-deb ended with ${error?.message ?? status}: ${stderr}`);
  return deb;
}

function entriesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .sort()
    .map((path) => join(root, path));
}
