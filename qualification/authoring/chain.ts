/** Ten livepatches, each built upon the one before with one more patch, loaded one after the other under load; then back down, one by one. */

import { mkdtempSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSources } from "@suture/authored";
import type { KernelContext } from "@suture/kbuild";
import { buildLivepatch, type Livepatch, readPatch, readPredecessor, type SourcePatch } from "@suture/pipeline";
import type { Task } from "@suture/task";
import { bootWith, said } from "@suture/testkit/authoring";
import { createTwoFilesPatch } from "diff";

const FILE = "fs/proc/meminfo.c";
/** Each is another line of /proc/meminfo, and a patch of its own. */
const LINES = ["MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached", "Active", "Inactive", "SwapTotal", "SwapFree"];
const STATE = { id: 1, version: 3 };
const FIELD = join(import.meta.dirname, "../../docs/examples/new-field.c");
const LOAD = "for i in 1 2; do (while :; do cat /proc/meminfo /proc/version; done >/dev/null 2>&1) & done";

export async function chain(task: Task, kernel: KernelContext): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "suture-chain-"));
  try {
    const built: Livepatch[] = [];
    for (const [i, line] of LINES.entries()) {
      const before = built.at(-1);
      const made = await buildLivepatch(task, kernel, {
        patches: [await patchOf(kernel, folder, line)],
        name: `chain-${i + 1}`,
        replace: true,
        unproven: false,
        // The first brings the state and the shadow variable; the others take them over.
        ...(before === undefined
          ? { sources: await readSources([FIELD]), states: [STATE] }
          : { predecessor: await readPredecessor(join(folder, before.file)) }),
      });
      await writeFile(join(folder, made.file), made.bytes);
      const { functions, states, shadows } = made.manifest;
      console.log(
        `${made.file}: ${functions.length} functions, states ${JSON.stringify(states)}, shadow variables ${JSON.stringify(shadows)}`,
      );
      built.push(made);
    }
    const old = { ...STATE, version: STATE.version - 1 };
    const options = { patches: [await patchOf(kernel, folder, "SwapTotal")], replace: true, unproven: false };
    const tooOld = await buildLivepatch(task, kernel, { ...options, name: "too-old", states: [old] });
    const knowsNothing = await buildLivepatch(task, kernel, { ...options, name: "knows-nothing" });
    return await walk(task, kernel, [...built, tooOld, knowsNothing], built.length);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function patchOf(kernel: KernelContext, folder: string, line: string): Promise<SourcePatch> {
  const before = await readFile(join(kernel.target.tree, FILE), "latin1");
  const after = before.replace(new RegExp(`"${line}: `), (text) => text.replace(": ", "+:"));
  if (after === before) throw new Error(`${FILE} has no ${line}`);
  const path = join(folder, `${line}.patch`);
  // Neighbouring lines are patches of their own: none has another's line in its context.
  await writeFile(path, createTwoFilesPatch(`a/${FILE}`, `b/${FILE}`, before, after, "", "", { context: 0 }), "latin1");
  return readPatch(path);
}

async function walk(task: Task, kernel: KernelContext, modules: readonly Livepatch[], count: number): Promise<boolean> {
  const guest = await bootWith(task, kernel, modules, { cpus: 1 });
  let good = true;
  const expect = (what: string, found: string, wanted: RegExp): void => {
    const fits = wanted.test(found);
    good &&= fits;
    console.log(`${what}: ${fits ? "" : "WRONG: "}${found.trim().replaceAll("\n", " | ")}`);
  };
  // With how many changed lines, which livepatch is there, and the counter of the shadow variable, which must not begin again.
  const LOOK = "grep -c + /proc/meminfo; ls /sys/kernel/livepatch; ls /sys/module | grep -c livepatch_; tail -n +2 /proc/version";
  let reads = 0;
  const look = async (what: string, step: number): Promise<void> => {
    const found = await said(guest, LOOK);
    expect(what, found, new RegExp(`^${step}\nlivepatch_chain_${step}\n1\nreads of \\S+: \\d+\n$`));
    const now = Number(/: (\d+)\n$/.exec(found)?.[1] ?? 0);
    if (now <= reads) expect("the shadow variable", `${now} reads after ${reads}`, /^$/);
    reads = now;
  };
  try {
    await said(guest, LOAD);
    expect("1", await said(guest, "load livepatch-chain-1"), /^$/);
    await look("up 1", 1);
    for (let i = 2; i <= count; i++) {
      expect(String(i), await said(guest, `load livepatch-chain-${i} && rmmod livepatch_chain_${i - 1}`), /^$/);
      await look(`up ${i}`, i);
    }
    for (const name of ["too-old", "knows-nothing"])
      expect(
        name,
        await said(guest, `load livepatch-${name}; dmesg | grep 'not compatible' | tail -n 1`),
        /[Ii]nvalid argument(?:.|\n)*not compatible/,
      );
    for (let i = count - 1; i >= 1; i--) {
      expect(String(i), await said(guest, `load livepatch-chain-${i} && rmmod livepatch_chain_${i + 1}`), /^$/);
      await look(`down ${i}`, i);
    }
    expect(
      "out",
      await said(guest, `unload livepatch_chain_1; grep -c + /proc/meminfo; ls /sys/kernel/livepatch; wc -l </proc/version`),
      /^0\n\(?\d?\)?\n?1\n$|^0\n1\n$/,
    );
    expect(
      "events",
      guest
        .events()
        .map(({ headline }) => headline)
        .join("; "),
      /^$/,
    );
  } finally {
    await guest.stop();
  }
  return good;
}
