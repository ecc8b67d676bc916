import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lastingPath } from "./host-options.ts";

test("a unit runs node by the link that outlasts its version", () => {
  const root = mkdtempSync(join(tmpdir(), "suture-cli-"));
  try {
    for (const folder of ["v20.1/bin", "v20.2/bin", "bin", "sbin"]) mkdirSync(join(root, folder), { recursive: true });
    for (const version of ["v20.1", "v20.2"]) writeFileSync(join(root, version, "bin/node"), "");
    const folders = ["none", "sbin", "bin"].map((folder) => join(root, folder));
    expect(lastingPath(join(root, "v20.1/bin/node"), folders)).toBe(join(root, "v20.1/bin/node"));
    symlinkSync("../v20.2/bin/node", join(root, "sbin/node"));
    symlinkSync("../v20.1/bin/node", join(root, "bin/node"));
    expect(lastingPath(join(root, "v20.1/bin/node"), folders)).toBe(join(root, "bin/node"));
  } finally {
    rmSync(root, { recursive: true });
  }
});
