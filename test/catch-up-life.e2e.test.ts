/**
 * The life of catch-ups on a kernel that runs: the livepatch of a newer release takes the place of the one before it in one transition, with what that
 * has noted of live objects, and goes back. By the command, on a small repository with records of CVEs. With reboots: `npm run qualify -- catch-up`.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "@suture/livepatch";
import { cacheRoot, ownKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { chainOf } from "@suture/testkit/chain";
import { documentIn } from "@suture/testkit/document";
import { MODULES, Yard } from "@suture/testkit/host-guest";
import { LEVEL_PROBE, makeLevels } from "@suture/testkit/levels";
import { Repository } from "@suture/testkit/repository";
import { KERNELS } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, expect, test } from "vitest";

const suture = join(import.meta.dirname, "../suture");
const folder = mkdtempSync(join(tmpdir(), "suture-catch-up-life-"));
const task = new Task();
const repository = new Repository(join(folder, "repository"));
const first = join(folder, "first.ko");
const second = join(folder, "second.ko");
let release = "";
let source = "";
let yard: Yard;

beforeAll(async () => {
  release = await ownKernel(task);
  const { tree } = await prepareTarget(task, release, { cache: cacheRoot(process.env) });
  source = tree;
  makeLevels(repository, tree, join(folder, "vulns"));
});
afterAll(async () => {
  await yard?.close();
  rmSync(folder, { recursive: true, force: true });
});

function caughtUp(to: string, output: string, ...more: string[]) {
  const words = ["--git", repository.folder, "--range", `from..${to}`, "--cve-data", join(folder, "vulns"), "--name", `level-${to}`];
  return documentIn(
    execFileSync(suture, ["catch-up", "--kernel", release, ...words, "--output", output, "--json", ...more], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
}

test("one upon the other, in one transition, there and back, and the kernel says how far it is", async () => {
  const one = caughtUp("one", first);
  expect(one.account.counts.cves).toMatchObject({ carried: 1 });
  const two = caughtUp("two", second, "--upon", first);
  expect(two.account.counts.cves).toMatchObject({ carried: 2, leftOut: 1 });
  expect(two.report.units.find(({ title }: { title: string }) => title.startsWith("nbd"))).toMatchObject({
    state: "left out",
    reasons: [{ code: "BUILD_LAYOUT" }],
  });

  const file = (path: string, name: string) => ({ path: `${MODULES}/${name}.ko`, content: readFileSync(path) });
  yard = await Yard.open(task, KERNELS[0], [file(first, "first"), file(second, "second")]);
  const guest = await yard.boot();
  const [before, after] = ["first", "second"].map((name) => `${MODULES}/${name}.ko`) as [string, string];
  const { steps, told } = await chainOf(guest, {
    levels: [
      ["the first", before],
      ["the second in its place", after],
      ["back to the first", before],
      ["the second once more", after],
    ],
    out: "unload",
    probe: LEVEL_PROBE,
    timeout: 60,
    stepMs: 300_000,
  });
  expect(
    steps.map(({ what, patches, begun, probed }) => [what, patches, begun, probed.map((text) => text.replaceAll("\n", ", "))]),
  ).toEqual([
    ["the first", ["livepatch_level_one"], ["livepatch_level_one patching"], [1, 2, 3].map((n) => `level one, read ${n}, `)],
    [
      "the second in its place",
      ["livepatch_level_two"],
      ["livepatch_level_two patching"],
      [4, 5, 6].map((n) => `level two, read ${n},  two, `),
    ],
    ["back to the first", ["livepatch_level_one"], ["livepatch_level_one patching"], [7, 8, 9].map((n) => `level one, read ${n}, `)],
    [
      "the second once more",
      ["livepatch_level_two"],
      ["livepatch_level_two patching"],
      [10, 11, 12].map((n) => `level two, read ${n},  two, `),
    ],
    ["out", [], ["livepatch_level_two unpatching"], ["", "", ""]],
  ]);
  expect(told.effective).toMatchObject([{ patch: "livepatch_level_two", cves: 3, closed: 2, open: [{ id: "CVE-2026-1002" }] }]);
  expect(guest.events()).toEqual([]);
  await guest.stop();
});

test("what is built upon one brings the same level, and is of the same account", () => {
  const uptime = "fs/proc/uptime.c";
  repository.copy(source, [uptime]);
  repository.commit("as it is");
  repository.edit(uptime, /"%lu\.%02lu %lu/, '"up %lu.%02lu %lu');
  const patch = join(folder, "own.patch");
  writeFileSync(patch, `CVE: CVE-2026-9999\nIt is not as bad as CVE-2026-9998.\n\n${repository.git("diff")}\n`);
  const own = join(folder, "own.ko");
  const words = ["--kernel", release, patch, "--upon", second, "--output", own, "--json"];
  execFileSync(suture, ["build", ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const [before, now] = [second, own].map((file) => inspect(readFileSync(file), file).manifest);
  expect(now).toMatchObject({ catchUp: before?.catchUp, account: before?.account });
  expect(now?.account?.carried).toHaveLength(2);
  expect(now?.fixes.at(-1)).toMatchObject({ cves: ["CVE-2026-9999"], mentioned: ["CVE-2026-9998"] });
});
