/**
 * Three real fixes that the differ refuses (they change live data or a layout), made by hand: `npm run qualify -- authoring --only fixes --corpus DIR`. What is the
 * kernel's in them is taken from the fix and from the kernel's source when this runs; here stands what was written by hand.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extractFunctions, readSources } from "@suture/authored";
import type { KernelContext } from "@suture/kbuild";
import { type BuildOptions, buildLivepatch, type Livepatch, readPatch } from "@suture/pipeline";
import type { Task } from "@suture/task";
import { bootWith, said } from "@suture/testkit/authoring";
import { applyPatch, createTwoFilesPatch } from "diff";

interface Fix {
  /** Of the corpus. */
  name: string;
  technique: string;
  make(
    task: Task,
    kernel: KernelContext,
    patch: string,
    folder: string,
  ): Promise<Pick<BuildOptions, "patches" | "sources"> & { lines: number }>;
}

const OWNER = `/* The family's module stays while a dump of its policies goes on. Dumps that the old code has begun hold none. */
SUTURE_SHADOW(owner, 0x5355540010, struct module *);

static int held_ctrl_dumppolicy_start(struct netlink_callback *cb)
{
	struct ctrl_dump_policy_ctx *ctx = (void *)cb->ctx;
	struct module **owner;
	int err = new_ctrl_dumppolicy_start(cb);

	if (err)
		return err;
	owner = owner_get_or_alloc(cb, GFP_KERNEL);
	if (owner && try_module_get(ctx->rt->module)) {
		*owner = ctx->rt->module;
		return 0;
	}
	owner_free(cb);
	netlink_policy_dump_free(ctx->state);
	return owner ? -ENOENT : -ENOMEM;
}

`;

const OWNER_DONE = `	struct module **owner = owner_get(cb);

	netlink_policy_dump_free(ctx->state);
	if (owner) {
		module_put(*owner);
		owner_free(cb);
	}
	return 0;
}
`;

const GUARD = `
struct rcast_guard {
	spinlock_t lock;
	bool disabled;
};

#define RCAST_GUARD 0x5355540011

static int rcast_guard_init(void *obj, void *data, void *context)
{
	spin_lock_init(&((struct rcast_guard *)data)->lock);
	return 0;
}

static struct rcast_guard *rcast_guard(struct udp_bearer *ub)
{
	return klp_shadow_get_or_alloc(ub, RCAST_GUARD, sizeof(struct rcast_guard), GFP_ATOMIC, rcast_guard_init, NULL);
}

static void rcast_guards_free(struct klp_object *obj)
{
	rcu_barrier();
	klp_shadow_free_all(RCAST_GUARD, NULL);
}
KPATCH_POST_UNPATCH_CALLBACK(rcast_guards_free);
`;

const FIXES: Fix[] = [
  {
    name: "drivers-virtio-virtio",
    technique: "live data set by callbacks",
    async make() {
      const [source] = await readSources([join(import.meta.dirname, "fixes/virtio-shutdown.c")]);
      if (source === undefined) throw new Error("virtio-shutdown.c");
      return { patches: [], sources: [source], lines: linesOf(Buffer.from(source.bytes).toString()) };
    },
  },
  {
    name: "net-netlink-genetlink",
    technique: "a field as a shadow variable, extracted functions",
    async make(task, kernel, _patch, folder) {
      const { text } = await extractFunctions(task, kernel, ["ctrl_dumppolicy_start", "ctrl_dumppolicy_done"]);
      const edited = edit(text, [
        ["static int new_ctrl_dumppolicy_done", `${OWNER}static int new_ctrl_dumppolicy_done`],
        [/\tnetlink_policy_dump_free\(ctx->state\);\n\treturn 0;\n\}\n/, OWNER_DONE],
        ["ctrl_dumppolicy_start, new_", "ctrl_dumppolicy_start, held_"],
      ]);
      const file = join(folder, "genetlink.c");
      await writeFile(file, edited, "latin1");
      return { patches: [], sources: await readSources([file]), lines: changedLines(text, edited) };
    },
  },
  {
    name: "net-tipc-udp_media",
    technique: "a lock as a shadow variable, in the fix itself",
    async make(_task, kernel, patch, folder) {
      const path = "net/tipc/udp_media.c";
      const before = await readFile(join(kernel.target.tree, path), "latin1");
      const fixed = applyPatch(before, patch);
      if (fixed === false) throw new Error(`the fix does not apply to ${path}`);
      const members = edit(fixed, [
        [/\tspinlock_t rcast_lock;\n\tbool disabled;\n\};\n/, `};\n${GUARD}`],
        ["#include <linux/wait_bit.h>\n", '#include <linux/wait_bit.h>\n#include "kpatch-macros.h"\n'],
        ["\tspin_lock_init(&ub->rcast_lock);\n", ""],
      ]);
      const added = inFunction(members, "static int tipc_udp_rcast_add(", (body) =>
        edit(body, [
          ["\tstruct udp_replicast *rcast;\n", "\tstruct udp_replicast *rcast;\n\tstruct rcast_guard *guard;\n"],
          [
            "\tspin_lock_bh(&ub->rcast_lock);\n",
            "\tguard = rcast_guard(ub);\n\tif (!guard)\n\t\treturn -ENOMEM;\n\tspin_lock_bh(&guard->lock);\n",
          ],
        ])
          .replaceAll("&ub->rcast_lock", "&guard->lock")
          .replaceAll("ub->disabled", "guard->disabled"),
      );
      const edited = inFunction(added, "static void cleanup_bearer(", (body) =>
        edit(body, [
          ["\tstruct tipc_net *tn;\n", "\tstruct tipc_net *tn;\n\tstruct rcast_guard *guard = rcast_guard(ub);\n"],
          ["\tspin_lock_bh(&ub->rcast_lock);", "\tif (guard)\n\t\tspin_lock_bh(&guard->lock);"],
          [
            /\tub->disabled = true;\n\tspin_unlock_bh\(&ub->rcast_lock\);/,
            "\tif (guard) {\n\t\tguard->disabled = true;\n\t\tspin_unlock_bh(&guard->lock);\n\t}",
          ],
          ["\tkfree(ub);", "\tklp_shadow_free(ub, RCAST_GUARD, NULL);\n\tkfree(ub);"],
        ]),
      );
      const file = join(folder, "udp_media.patch");
      await writeFile(file, createTwoFilesPatch(`a/${path}`, `b/${path}`, before, edited), "latin1");
      return { patches: [await readPatch(file)], lines: changedLines(fixed, edited) };
    },
  },
];

/** @param kernel the one that the fixes are for. @param corpus the folder that has them, with a manifest */
export async function fixes(task: Task, kernel: KernelContext, corpus: string): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "suture-fixes-"));
  const built: Livepatch[] = [];
  try {
    for (const { name, technique, make } of FIXES) {
      const patch = await readFile(join(corpus, "patches", `${name}.patch`), "latin1");
      const { lines, ...options } = await make(task, kernel, patch, folder);
      const livepatch = await buildLivepatch(task, kernel, { ...options, name, replace: false, unproven: false });
      const { functions, callbacks = [], proof } = livepatch.manifest;
      console.log(`${name}: ${technique}; ${lines} lines by hand, the fix has ${patch.match(/^[+-](?![+-])/gm)?.length ?? 0}`);
      console.log(`  ${functions.length} functions, ${callbacks.length} callbacks, ${proof.functions} functions proven`);
      built.push(livepatch);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const guest = await bootWith(task, kernel, built, { loaded: ["virtio_pci", "tipc"] });
  try {
    const names = built.map(({ file }) => file.slice(0, -3));
    const up = names.map((name) => `load ${name}`).join("; ");
    const down = names.map((name) => `unload ${name.replaceAll("-", "_")}`).join("; ");
    const output = await said(guest, `${up}; ls /sys/kernel/livepatch | wc -l; ${down}; ls /sys/kernel/livepatch | wc -l`);
    const events = guest.events().map(({ headline }) => headline);
    console.log(`loaded, and taken out again: ${JSON.stringify(output)}; ${events.length === 0 ? "no warning" : events.join("; ")}`);
    return output === `${built.length}\n0\n` && events.length === 0;
  } finally {
    await guest.stop();
  }
}

/** Each is there once at least; the first is meant. */
function edit(text: string, edits: readonly (readonly [string | RegExp, string])[]): string {
  return edits.reduce((now, [from, to]) => {
    const next = now.replace(from, () => to);
    if (next === now) throw new Error(`the source does not have ${from}`);
    return next;
  }, text);
}

function inFunction(text: string, head: string, change: (body: string) => string): string {
  const start = text.lastIndexOf(head);
  const end = text.indexOf("\n}\n", start);
  if (start < 0 || end < 0) throw new Error(`the source does not have ${head}`);
  return text.slice(0, start) + change(text.slice(start, end)) + text.slice(end);
}

function linesOf(text: string): number {
  return text.split("\n").filter((line) => line.trim() !== "" && !/^\s*(?:\/[/*]|\*)/.test(line)).length;
}

function changedLines(before: string, after: string): number {
  return createTwoFilesPatch("a", "b", before, after, "", "", { context: 0 }).match(/^[+-](?![+-])/gm)?.length ?? 0;
}
