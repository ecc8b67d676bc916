/** Two small releases beyond a kernel's source, for catch-ups that take the place of each other. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Repository } from "./repository.ts";

const VERSION = "fs/proc/version.c";
const CMDLINE = "fs/proc/cmdline.c";
const NBD = "drivers/block/nbd.c";
/** Says which level is in effect, and how often it was asked. */
export const LEVEL_PROBE = "tail -n +2 /proc/version; grep -o ' two$' /proc/cmdline; true";

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

/**
 * A repository of two levels above the kernel that runs, as tags `from`, `one` and `two`, with records of CVEs: what the second has and the first has
 * not, what both have, and what cannot be carried.
 */
export function makeLevels(repository: Repository, tree: string, vulns: string): void {
  const fix = (title: string, number: number, file: string): void => record(vulns, repository.commit(title), title, number, file);
  repository.copy(tree, [VERSION, CMDLINE, NBD]);
  repository.commit("the release that runs");
  repository.git("tag", "from");
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

/** Of a CVE that a commit mends. */
function record(vulns: string, commit: string, title: string, number: number, file: string): void {
  const published = join(vulns, "cve/published/2026");
  mkdirSync(published, { recursive: true });
  const id = `CVE-2026-${number}`;
  const affected = [{ programFiles: [file] }];
  const text = { cveMetadata: { cveId: id, state: "PUBLISHED" }, containers: { cna: { title, affected } } };
  writeFileSync(join(published, `${id}.json`), JSON.stringify(text));
  writeFileSync(join(published, `${id}.dyad`), `0:0:9.9.9:${commit}\n`);
}
