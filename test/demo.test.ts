/** `npm run demo` where it cannot be shown: words and what to do, never a stack. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "suture-demo-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Programs in place of the machine's, before all others or instead of them. */
function programs(name: string, scripts: Readonly<Record<string, string>>): string {
  const bin = join(folder, name);
  mkdirSync(bin);
  for (const [program, script] of Object.entries(scripts)) {
    writeFileSync(join(bin, program), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, program), 0o755);
  }
  symlinkSync(process.execPath, join(bin, "node"));
  return bin;
}

const SHA = "0".repeat(64);
const record = (name: string, more = ""): string =>
  `Package: ${name}\nVersion: 6.1.1-1\nArchitecture: amd64\nSource: linux\nFilename: x.deb\nSize: 1\nSHA256: ${SHA}\n${more}\n`;
const headers = "Depends: linux-headers-6.1.0-1-common, linux-kbuild-6.1, linux-compiler-gcc-12-x86\n";
const records = [
  record("linux-image-6.1.0-1-cloud-amd64"),
  record("linux-headers-6.1.0-1-cloud-amd64", headers),
  record("linux-kbuild-6.1"),
  record("linux-source-6.1"),
].join("");
const KNOWN = `if [ "$1" = depends ]; then echo "  Depends: linux-image-6.1.0-1-cloud-amd64"; exit; fi\ncat <<'END'\n${records}END`;

test.each([
  ["there is no apt", "ARCHIVE_NO_APT", () => ({ PATH: programs("none", {}) })],
  ["apt knows no kernel", "KERNEL_NOT_FOUND", () => ({ PATH: `${programs("empty", { "apt-cache": "exit 100" })}:${process.env.PATH}` })],
  [
    "apt is broken",
    "COMMAND_FAILED",
    () => ({ PATH: `${programs("broken", { "apt-cache": "echo E: wrong >&2; exit 7" })}:${process.env.PATH}` }),
  ],
  [
    "the cache cannot be made",
    "CACHE_UNWRITABLE",
    () => ({ PATH: `${programs("unwritable", { "apt-cache": KNOWN })}:${process.env.PATH}`, XDG_CACHE_HOME: "/proc" }),
  ],
  [
    "the network is down",
    "ARCHIVE_DOWNLOAD",
    () => ({
      PATH: `${programs("offline", { "apt-cache": KNOWN, "apt-get": "echo 'E: Could not connect' >&2; exit 100", "gcc-12": "echo 12" })}:${process.env.PATH}`,
    }),
  ],
])("%s", (_, code, env) => {
  const { status, stderr } = spawnSync(process.execPath, ["--conditions=source", "--import", "tsx", join(root, "scripts/demo.ts")], {
    cwd: root,
    encoding: "utf8",
    timeout: 50_000,
    env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache"), ...env() },
  });
  expect(stderr).toMatch(new RegExp(`demo: ${code}: .+\n(?:.+\n)*  do: .+\n`));
  expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  expect(status).toBe(1);
});
