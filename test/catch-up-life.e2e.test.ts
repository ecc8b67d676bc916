/**
 * The life of catch-ups on a kernel that runs: the livepatch of a newer release takes the place of the one before it in one transition, with what that
 * has noted of live objects, and goes back; the store keeps one for its kernel alone. By the command, on a small repository with records of CVEs.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheRoot, ownKernel, prepareTarget } from "@suture/sources";
import { Task } from "@suture/task";
import { chainOf } from "@suture/testkit/chain";
import { documentIn } from "@suture/testkit/document";
import { suture as inGuest, MODULES, Yard } from "@suture/testkit/host-guest";
import { Repository } from "@suture/testkit/repository";
import { KERNELS, testKernel } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, expect, test } from "vitest";

const suture = join(import.meta.dirname, "../suture");
const folder = mkdtempSync(join(tmpdir(), "suture-catch-up-life-"));
const task = new Task();
const repository = new Repository(join(folder, "repository"));
const VERSION = "fs/proc/version.c";
const CMDLINE = "fs/proc/cmdline.c";
const NBD = "drivers/block/nbd.c";
const first = join(folder, "first.ko");
const second = join(folder, "second.ko");
let release = "";
let yard: Yard;

beforeAll(async () => {
  release = await ownKernel(task);
  const { tree } = await prepareTarget(task, release, { cache: cacheRoot(process.env) });
  repository.copy(tree, [VERSION, CMDLINE, NBD]);
  repository.commit("the release that runs");
  repository.git("tag", "from");
  makeCommits();
});
afterAll(async () => {
  await yard?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Reads are counted for each name space, in a shadow variable that goes with the livepatch. */
const COUNTED = `#include "kpatch-macros.h"
#define READS 0x5355540010UL

static void forget_reads(patch_object *object)
{
	klp_shadow_free_all(READS, NULL);
}
KPATCH_POST_UNPATCH_CALLBACK(forget_reads);

static int count_read(struct seq_file *m)
{
	atomic_t *reads = klp_shadow_get_or_alloc(current->nsproxy->uts_ns, READS, sizeof(*reads), GFP_KERNEL, NULL, NULL);

	if (reads)
		seq_printf(m, "read %d\\n", atomic_inc_return(reads));
	return 0;
}

$1`;

function makeCommits(): void {
  repository.edit(VERSION, /(\treturn 0;\n\}\n\nstatic int __init)/, '\tseq_puts(m, "level one\\n");\n$1');
  fix("version: say the level", 1000, VERSION);
  repository.edit(VERSION, /(static int version_proc_show)/, COUNTED);
  repository.edit(VERSION, /(\tseq_puts\(m, "level one\\n"\);\n)/, "$1\tcount_read(m);\n");
  repository.commit("version: count who reads");
  repository.git("tag", "one");
  repository.edit(VERSION, /level one/, "level two");
  fix("version: the next level", 1001, VERSION);
  repository.edit(CMDLINE, /(\tseq_putc\(m, '\\n'\);\n)/, '\tseq_puts(m, " two");\n$1');
  repository.commit("cmdline: say the level");
  repository.edit(NBD, /(struct nbd_device \{\n)/, "$1\tint level;\n");
  repository.edit(NBD, /(\tnbd->destroy_complete = |\tnbd->index = index;\n)/, "\tnbd->level = 2;\n$1");
  fix("nbd: devices know their level", 1002, NBD);
  repository.git("tag", "two");
}

/** With the record of a CVE that it mends. */
function fix(title: string, number: number, file: string): void {
  const commit = repository.commit(title);
  const published = join(folder, "vulns/cve/published/2026");
  mkdirSync(published, { recursive: true });
  const id = `CVE-2026-${number}`;
  const affected = [{ programFiles: [file] }];
  const record = { cveMetadata: { cveId: id, state: "PUBLISHED" }, containers: { cna: { title, affected } } };
  writeFileSync(join(published, `${id}.json`), JSON.stringify(record));
  writeFileSync(join(published, `${id}.dyad`), `0:0:9.9.9:${commit}\n`);
}

function caughtUp(to: string, output: string, ...more: string[]) {
  const words = ["--git", repository.folder, "--range", `from..${to}`, "--cve-data", join(folder, "vulns"), "--name", `level-${to}`];
  return documentIn(
    execFileSync(suture, ["catch-up", "--kernel", release, ...words, "--output", output, "--json", ...more], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
}

test("one upon the other, in one transition, there and back; the kernel says how far it is; another kernel has none of it", async () => {
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
  const disk = await yard.makeDisk("store");
  let guest = await yard.boot({ disk });
  const probe = "tail -n +2 /proc/version; grep -o ' two$' /proc/cmdline; true";
  const { steps, told } = await chainOf(guest, { first: `${MODULES}/first.ko`, second: `${MODULES}/second.ko`, probe, timeout: 60 });
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

  // Kept for this kernel: at the next boot it goes in, and in another kernel nothing of it.
  expect((await inGuest(guest, `install ${MODULES}/second.ko`)).code).toBe(0);
  await guest.stop();
  const other = await testKernel(task, KERNELS[1]);
  guest = await yard.boot({ disk, image: other.image, modules: { tree: other.modules, names: ["virtio_pci", "virtio_blk", "ext4"] } });
  expect((await inGuest(guest, "boot")).document).toMatchObject({ patches: [] });
  expect((await inGuest(guest, "list")).document).toMatchObject({ livepatches: [{ release, state: "not loaded", kept: "yes" }] });
  await guest.stop();
});
