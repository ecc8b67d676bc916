/**
 * What relocations of a livepatch of many functions cost in insmod, as it is, and as it would be if the livepatch core had to find all that the kernel
 * does not export. Both are given another kernel's build-id, so that they are relocated, and then refuse to go on.
 */
import { archOf } from "@suture/arch";
import { type ElfObject, newRelocations, newSymbol, type Relocation, readElf, relocationSections, SHF, writeElf } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";
import { boot } from "@suture/lab";
import { isKlpSymbol, klpSymbolName, ReachedByDistance } from "@suture/livepatch";
import { buildLivepatch } from "@suture/pipeline";
import { Task } from "@suture/task";
import { row } from "./text.ts";

/** All functions of it, by themselves. */
const OBJECT = "net/ipv4/tcp_input.o";

export async function load(kernel: KernelContext): Promise<void> {
  const task = new Task();
  const { bytes, manifest } = await buildLivepatch(task, kernel, {
    patches: [],
    rebuild: [OBJECT],
    name: "load",
    replace: false,
    unproven: false,
  });
  const named = byNames(bytes);
  console.log(`\n(h) relocations of a livepatch of ${manifest.functions.length} functions, in a virtual machine`);
  console.log(row(["", "klp relocations", "by the loader", "seconds"]));
  const times: number[] = [];
  for (const [what, module] of [
    ["all by the livepatch core", named],
    ["as it is", bytes],
  ] as const) {
    const seconds = await insmod(task, kernel, forAnother(module, kernel.image.buildId));
    times.push(seconds);
    const [klp, loader] = counts(readElf(module, "load.ko"));
    console.log(row([what, String(klp), String(loader), `${seconds.toFixed(2)} s`]));
  }
  console.log(row(["ratio", "", "", ((times[0] ?? 0) / (times[1] ?? 0)).toFixed(1)]));
}

/** In a fresh guest. @returns seconds */
async function insmod(task: Task, kernel: KernelContext, module: Uint8Array): Promise<number> {
  const guest = await boot(task, { image: kernel.target.image, files: [{ path: "/load.ko", content: module }] });
  try {
    const { output } = await guest.run("cat /proc/uptime; insmod /load.ko; cat /proc/uptime; dmesg | grep 'another kernel'", {
      timeoutMs: 300_000,
    });
    const [from, to] = [...output.matchAll(/^(\d+\.\d+) \d+\.\d+$/gm)].map(([, seconds]) => Number(seconds));
    if (from === undefined || to === undefined || !output.includes("built for another kernel")) throw new Error(output);
    return to - from;
  } finally {
    await guest.stop();
  }
}

function forAnother(module: Uint8Array, buildId: string): Uint8Array {
  const elf = readElf(module, "load.ko");
  let found = 0;
  // Some links of modules put read-only data together: it is found by what it holds.
  for (const { flags, data } of elf.sections) {
    const at = (flags & SHF.ALLOC) === 0 ? -1 : Buffer.from(data).indexOf(Buffer.from(buildId, "hex"));
    if (at < 0) continue;
    data[at] = ~(data[at] ?? 0);
    found++;
  }
  if (found !== 1) throw new Error(`the module has the kernel's build-id ${found} times`);
  return writeElf(elf);
}

function counts(elf: ElfObject): [klp: number, loader: number] {
  let [klp, loader] = [0, 0];
  for (const [target, tables] of relocationSections(elf))
    for (const { relocations, flags } of (target.flags & SHF.ALLOC) === 0 ? [] : tables)
      if ((flags & SHF.RELA_LIVEPATCH) === 0) loader += relocations.length;
      else klp += relocations.length;
  return [klp, loader];
}

/** What it reaches by a distance is reached by the name of the symbol there. */
function byNames(bytes: Uint8Array): Uint8Array {
  const elf = readElf(bytes, "load.ko");
  const reached = new ReachedByDistance(elf);
  const { isPcRelative } = archOf(elf).relocations;
  const symbols = new Map(elf.symbols.filter(({ name }) => isKlpSymbol(name)).map((symbol) => [symbol.name, symbol]));
  for (const [target, tables] of relocationSections(elf)) {
    const moved: Relocation[] = [];
    for (const table of tables) {
      if ((table.flags & SHF.RELA_LIVEPATCH) !== 0) continue;
      table.relocations = table.relocations.filter((relocation) => {
        const toEnd = isPcRelative(relocation.type) ? archOf(elf).code.branchToEnd : 0;
        const meant = reached.meant(relocation, toEnd);
        if (meant === undefined) return true;
        const name = klpSymbolName(meant.klp);
        const symbol = symbols.get(name) ?? newSymbol({ name, place: "livepatch" });
        moved.push({ ...relocation, symbol, addend: meant.offset - toEnd });
        return false;
      });
    }
    if (moved.length === 0) continue;
    const name = `.klp.rela.vmlinux.${target.name}`;
    const known = tables.find((table) => table.name === name);
    if (known !== undefined) known.relocations = [...known.relocations, ...moved];
    else
      elf.sections.splice(
        elf.sections.indexOf(target) + 1,
        0,
        newRelocations(elf, target, moved, { name, flags: SHF.ALLOC | SHF.RELA_LIVEPATCH }),
      );
  }
  return writeElf(elf);
}
