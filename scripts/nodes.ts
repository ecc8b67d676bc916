/**
 * `npm run nodes`: the unit tests and the package for users under every series of Node that Suture runs with. The programs are those of the
 * npm registry, at the versions of nodes/binaries.ts. `npm run nodes -- 22` takes one series.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheRoot } from "@suture/sources";
import { NODES, registryPackage } from "./nodes/binaries.ts";

const root = join(import.meta.dirname, "..");
const series = process.argv.slice(2);

interface Counts {
  numTotalTests: number;
  numPassedTests: number;
  numFailedTests: number;
  success: boolean;
}

/** vitest under that node, whose folder comes first in PATH: the tests start programs by `node`, too. */
function tests(bin: string, args: readonly string[]): Counts {
  const folder = mkdtempSync(join(tmpdir(), "suture-nodes-"));
  const report = join(folder, "report.json");
  try {
    spawnSync(
      join(bin, "node"),
      [join(root, "node_modules/vitest/vitest.mjs"), "run", "--reporter=json", "--reporter=dot", `--outputFile.json=${report}`, ...args],
      { cwd: root, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } },
    );
    return JSON.parse(readFileSync(report, "utf8")) as Counts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const lines: string[] = [];
for (const node of NODES.filter(({ version }) => series.length === 0 || series.includes(version.split(".")[0] ?? ""))) {
  const bin = join(registryPackage(node, join(cacheRoot(process.env), "nodes")), "bin");
  for (const [what, args] of [
    ["unit tests", ["--project", "unit"]],
    ["package for users", ["--project", "e2e", "test/bundle.e2e.test.ts"]],
  ] as const) {
    const started = performance.now();
    const { numPassedTests, numTotalTests, success } = tests(bin, args);
    const seconds = Math.round((performance.now() - started) / 1000);
    lines.push(
      `Node ${node.version.padEnd(8)} ${what.padEnd(18)} ${numPassedTests} of ${numTotalTests} passed, ${seconds} s${success ? "" : ": FAILED"}`,
    );
    if (!success || numPassedTests === 0) process.exitCode = 1;
  }
}
console.log(`\n${lines.join("\n")}`);
if (lines.length === 0) {
  console.error(`nodes: there is none of ${series.join(", ")}; there are ${NODES.map(({ version }) => version).join(", ")}`);
  process.exitCode = 2;
}
