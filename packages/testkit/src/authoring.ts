/** What the livepatches of docs/examples and of the kernel's own samples and self-tests do in a guest, for tests and qualification/authoring/. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { readSources } from "@suture/authored";
import { KernelContext } from "@suture/kbuild";
import { boot, type Guest, type GuestFile, loadOrder } from "@suture/lab";
import { buildLivepatch, type Livepatch } from "@suture/pipeline";
import { cacheRoot, newestKernel, prepareTarget, type Target, treeProvider } from "@suture/sources";
import type { Task } from "@suture/task";

const EXAMPLES = join(import.meta.dirname, "../../../docs/examples");

/** The newest of a series; with SUTURE_TREE, the kernel of that prepared tree, which make was given SUTURE_TREE_MAKE for (a JSON list of NAME=VALUE). */
export async function kernelOf(task: Task, series: RegExp): Promise<KernelContext> {
  const cache = cacheRoot(process.env);
  return KernelContext.open(task, await targetOf(task, series, cache), cache);
}

async function targetOf(task: Task, series: RegExp, cache: string): Promise<Target> {
  const { SUTURE_TREE: tree, SUTURE_TREE_MAKE: make = "[]" } = process.env;
  if (tree === undefined) return prepareTarget(task, await newestKernel(task, series), { cache });
  const provider = treeProvider({ tree, make: JSON.parse(make) as string[], cache });
  const [release = ""] = await provider.list(task);
  return provider.prepare(task, release);
}

export async function buildFrom(task: Task, kernel: KernelContext, from: string, name?: string): Promise<Livepatch> {
  return buildLivepatch(task, kernel, { patches: [], sources: await readSources([from]), name, replace: false, unproven: false });
}

/** docs/examples, by file name without .c. */
export async function buildExamples(task: Task, kernel: KernelContext): Promise<Livepatch[]> {
  const built: Livepatch[] = [];
  for (const file of readdirSync(EXAMPLES).sort()) built.push(await buildFrom(task, kernel, join(EXAMPLES, file)));
  return built;
}

/** load FILE, unload NAME, loaded: shell functions that wait for transitions. */
const SHELL = `
settle() { i=0; while grep -qs 1 /sys/kernel/livepatch/*/transition; do sleep 0.1; i=$((i+1)); [ $i -lt 300 ] || { echo "no end of the transition"; return 1; }; done; }
load() { insmod "/m/$1.ko" $2 2>&1 && settle; }
unload() { echo 0 >"/sys/kernel/livepatch/$1/enabled" && settle && sleep 0.3 && rmmod "$1" 2>&1; }
loaded() { ls /sys/kernel/livepatch; grep -c . /proc/modules; }
`;

/** @param loaded modules of the kernel that are there from the beginning; cpus: an emulated guest with one patches much faster under load */
export async function bootWith(
  task: Task,
  kernel: KernelContext,
  modules: readonly { file: string; bytes: Uint8Array }[],
  { loaded = [], cpus = 2 }: { loaded?: readonly string[]; cpus?: number } = {},
): Promise<Guest> {
  const { target } = kernel;
  const dummy = await loadOrder(task, target.modules, ["dummy"]);
  const files: GuestFile[] = [
    { path: "/m/functions", content: Buffer.from(SHELL) },
    ...modules.map(({ file, bytes }) => ({ path: `/m/${basename(file)}`, content: Buffer.from(bytes) })),
    ...dummy.map(({ name, data }) => ({ path: `/m/${name}.ko`, content: data })),
  ];
  return boot(task, { image: target.image, cpus, files, modules: { tree: target.modules, names: loaded } });
}

/** What a script prints; it may use the functions. */
export async function said(guest: Guest, script: string): Promise<string> {
  const { output, code, timedOut } = await guest.run(`. /m/functions\n${script}`, { timeoutMs: 120_000 });
  return `${output}${timedOut ? "(did not end)\n" : code === 0 ? "" : `(${code})\n`}`;
}

/** What each example is to do: a script, and what it prints. Every one ends with nothing left in the kernel. */
export const EXAMPLE_CHECKS: { name: string; script: string; expected: RegExp }[] = [
  {
    name: "new-field",
    script: `
      hostname first; unshare -u sh -c 'hostname old; while :; do sleep 1; done' & old=$!; sleep 0.5
      load livepatch-new-field
      tail -n +2 /proc/version; tail -n +2 /proc/version
      nsenter -t $old -u tail -n +2 /proc/version
      unshare -u sh -c 'hostname new; tail -n +2 /proc/version; tail -n +2 /proc/version'
      for i in 1 2 3 4 5 6 7 8 9; do unshare -u sh -c "hostname n; tail -n +2 /proc/version"; done | sort | uniq -c
      unload livepatch_new_field; wc -l </proc/version
      load livepatch-new-field; tail -n +2 /proc/version; unload livepatch_new_field
      kill $old`,
    // Freed with its namespace, and at removal: the count begins again.
    expected:
      /^reads of first: 1\nreads of first: 2\nreads of old: 1\nreads of new: 1\nreads of new: 2\n\s+9 reads of n: 1\n1\nreads of first: 1\n$/,
  },
  {
    name: "lock",
    script: `
      hostname four; load livepatch-lock
      for j in 1 2 3; do (for i in $(seq 40); do cat /proc/version; done >/dev/null) & p="$p $!"; done; wait $p
      tail -n +2 /proc/version
      unload livepatch_lock; wc -l </proc/version`,
    expected: /^121 reads, 484 characters\n1\n$/,
  },
  {
    name: "repair",
    script: `
      hostname "$(printf 'bad\\tname')"; hostname | tr '\\t' T
      load livepatch-repair; hostname; unload livepatch_repair; hostname`,
    expected: /^badTname\nbad\?name\nbad\?name\n$/,
  },
  {
    name: "syscall",
    script: `
      hostname good; load livepatch-syscall
      hostname "$(printf 'bad\\tname')" 2>&1; hostname; hostname better; hostname
      unload livepatch_syscall; hostname "$(printf 'bad\\tname')"; hostname | tr '\\t' T`,
    expected: /^hostname: .*Invalid argument\ngood\nbetter\nbadTname\n$/,
  },
  {
    name: "initial-value",
    script: `
      limit=/proc/sys/fs/pipe-max-size; cat $limit
      load livepatch-initial-value; cat $limit; unload livepatch_initial_value; cat $limit
      echo 524288 >$limit; load livepatch-initial-value; cat $limit; unload livepatch_initial_value; cat $limit`,
    expected: /^1048576\n2097152\n1048576\n524288\n524288\n$/,
  },
  {
    name: "parameter",
    script: `
      dummies() { ls /sys/class/net | grep -c dummy; }
      insmod /m/dummy.ko; dummies; rmmod dummy
      load livepatch-parameter; insmod /m/dummy.ko; dummies; rmmod dummy; unload livepatch_parameter
      load livepatch-parameter; insmod /m/dummy.ko numdummies=3; dummies; rmmod dummy; unload livepatch_parameter
      insmod /m/dummy.ko; dummies; rmmod dummy`,
    expected: /^1\n2\n3\n1\n$/,
  },
];
