/** The kernel's own livepatch samples and self-test modules: each is built by `--from` unchanged, loaded, seen at work, and taken out again. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSources } from "@suture/authored";
import { SutureError } from "@suture/errors";
import type { KernelContext } from "@suture/kbuild";
import { buildLivepatch } from "@suture/pipeline";
import { run, type Task } from "@suture/task";
import { bootWith, said } from "@suture/testkit/authoring";

const FOLDERS = ["samples/livepatch", "lib/livepatch", "tools/testing/selftests/livepatch/test_modules"];

interface Module {
  file: string;
  bytes: Uint8Array;
  livepatch: boolean;
}

/** Scripts that load and unload what they name, and what they are to print. */
const CHECKS: { needs: string; script: string; expected: RegExp }[] = [
  {
    needs: "livepatch-sample",
    script: "load livepatch-sample; cat /proc/cmdline; unload livepatch_sample; grep -c live.patched /proc/cmdline",
    expected: /^this has been live patched\n0\n/,
  },
  {
    needs: "livepatch-shadow-fix2",
    script: `insmod /m/livepatch-shadow-mod.ko; load livepatch-shadow-fix1; load livepatch-shadow-fix2; sleep 20
      unload livepatch_shadow_fix2; unload livepatch_shadow_fix1; rmmod livepatch_shadow_mod; dmesg | grep -c 'shadow_fix2: .*check counter'`,
    expected: /^[1-9]\d*\n$/,
  },
  {
    needs: "livepatch-callbacks-demo",
    script: `insmod /m/livepatch-callbacks-mod.ko; load livepatch-callbacks-demo; rmmod livepatch_callbacks_mod; unload livepatch_callbacks_demo
      dmesg | grep 'livepatch_callbacks_demo: ' | sed 's/.*: \\([a-z_]*_callback\\): \\([a-z_]*\\).*/\\1 \\2/' | sort | uniq -c`,
    expected: /pre_patch_callback vmlinux(?:.|\n)*pre_unpatch_callback livepatch_callbacks_mod/,
  },
  {
    needs: "test_klp_livepatch",
    script: "load test_klp_livepatch; cat /proc/cmdline; unload test_klp_livepatch; grep -c live.patched /proc/cmdline",
    expected: /^test_klp_livepatch: this has been live patched\n0\n/,
  },
  {
    needs: "test_klp_atomic_replace",
    script: `load test_klp_livepatch; load test_klp_atomic_replace replace=0; cat /proc/cmdline; cat /proc/meminfo; ls /sys/kernel/livepatch
      unload test_klp_atomic_replace; load test_klp_atomic_replace replace=1; cat /proc/meminfo; ls /sys/kernel/livepatch
      grep -c live.patched /proc/cmdline; rmmod test_klp_livepatch; unload test_klp_atomic_replace`,
    expected:
      /^test_klp_livepatch: this.*\ntest_klp_atomic_replace: this.*\ntest_klp_atomic_replace\ntest_klp_livepatch\ntest_klp_atomic_replace: this.*\ntest_klp_atomic_replace\n0\n/,
  },
  {
    needs: "test_klp_callbacks_demo",
    script: `insmod /m/test_klp_callbacks_mod.ko; load test_klp_callbacks_demo; unload test_klp_callbacks_demo
      load test_klp_callbacks_demo pre_patch_ret=-19; ls /sys/kernel/livepatch | wc -l; rmmod test_klp_callbacks_mod`,
    expected: /No such device\n(?:.*\n)*0\n$/,
  },
  {
    needs: "test_klp_callbacks_demo2",
    script: `load test_klp_callbacks_demo; load test_klp_callbacks_demo2 replace=1; ls /sys/kernel/livepatch
      rmmod test_klp_callbacks_demo; unload test_klp_callbacks_demo2`,
    expected: /^test_klp_callbacks_demo2\n/,
  },
  {
    needs: "test_klp_state2",
    script: `load test_klp_state; load test_klp_state2; ls /sys/kernel/livepatch; insmod /m/test_klp_state.ko 2>&1; rmmod test_klp_state
      insmod /m/test_klp_state.ko 2>&1; unload test_klp_state2; dmesg | grep -c 'space_saved\\|not compatible\\|console_loglevel'`,
    expected: /^test_klp_state2\n.*\n(?:.|\n)*\n[1-9]\d*\n$/,
  },
  {
    needs: "test_klp_state3",
    script: `load test_klp_state2; load test_klp_state3; ls /sys/kernel/livepatch; rmmod test_klp_state2
      load test_klp_state2; ls /sys/kernel/livepatch; rmmod test_klp_state3; unload test_klp_state2`,
    expected: /^test_klp_state3\ntest_klp_state2\n/,
  },
  { needs: "test_klp_syscall", script: "load test_klp_syscall; sh -c 'echo $$' >/dev/null; unload test_klp_syscall", expected: /^$/ },
  {
    needs: "test_klp_shadow_vars",
    script: "insmod /m/test_klp_shadow_vars.ko; rmmod test_klp_shadow_vars; dmesg | grep -c 'PTR'",
    expected: /^[1-9]\d+\n/,
  },
];

export async function samples(task: Task, kernel: KernelContext): Promise<boolean> {
  const modules: Module[] = [];
  let good = true;
  for (const folder of FOLDERS) {
    const path = join(kernel.target.tree, folder);
    const names = (await readdir(path).catch(() => [])).filter((name) => name.endsWith(".c")).sort();
    for (const name of names)
      try {
        const source = join(path, name);
        const own = /\bklp_enable_patch\(/.test(await readFile(source, "latin1")) || name === "test_klp_state3.c";
        modules.push({ ...(own ? await livepatch(task, kernel, source) : await plain(task, kernel, source)), livepatch: own });
      } catch (error) {
        if (!(error instanceof SutureError)) throw error;
        good = false;
        console.log(`${name}: ${error.code} ${error.message}`);
      }
  }
  const livepatches = modules.filter((module) => module.livepatch);
  console.log(`${livepatches.length} livepatches and ${modules.length - livepatches.length} other modules, all built unchanged`);
  const guest = await bootWith(task, kernel, modules);
  try {
    for (const { needs, script, expected } of CHECKS) {
      if (!modules.some(({ file }) => file === `${needs}.ko`)) continue;
      const from = guest.logPosition;
      const output = await said(guest, script);
      const left = await said(guest, "ls /sys/kernel/livepatch; cat /proc/modules");
      const wrong = [
        ...(expected.test(output) ? [] : [`it printed ${JSON.stringify(output)}`]),
        ...(left === "" ? [] : [`left behind: ${left}`]),
        ...guest.events(from).map(({ headline }) => headline),
      ];
      console.log(`${needs}: ${wrong.length === 0 ? "works, and leaves nothing behind" : wrong.join("; ")}`);
      good &&= wrong.length === 0;
    }
  } finally {
    await guest.stop();
  }
  return good;
}

async function livepatch(task: Task, kernel: KernelContext, source: string): Promise<{ file: string; bytes: Uint8Array }> {
  const built = await buildLivepatch(task, kernel, { patches: [], sources: await readSources([source]), replace: false, unproven: false });
  const { proof, functions } = built.manifest;
  const how = proof.proven ? `${proof.functions} functions proven` : proof.reason;
  console.log(`${built.file}: ${functions.map(({ owner, name }) => `${owner}:${name}`).join(", ") || "no function"}; ${how}`);
  return built;
}

/** A module that is no livepatch, which others need: by the kernel's build. */
async function plain(task: Task, kernel: KernelContext, source: string): Promise<{ file: string; bytes: Uint8Array }> {
  const folder = await mkdtemp(join(tmpdir(), "suture-samples-"));
  const name = source.slice(source.lastIndexOf("/") + 1, -2);
  try {
    await writeFile(join(folder, `${name}.c`), await readFile(source));
    await writeFile(join(folder, "Kbuild"), `obj-m := ${name}.o\n`);
    await run(task, ["make", ...kernel.target.make, `M=${folder}`, "KCFLAGS=-g0", "modules"], { cwd: kernel.target.tree });
    return { file: `${name}.ko`, bytes: await readFile(join(folder, `${name}.ko`)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
