/** Functions chosen by a seed become files to begin a livepatch with; each file is built, and those that are built are loaded. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extractFunctions, readSources } from "@suture/authored";
import { SutureError } from "@suture/errors";
import { type KernelContext, pick } from "@suture/kbuild";
import { buildLivepatch, type Livepatch } from "@suture/pipeline";
import type { Task } from "@suture/task";
import { bootWith, said } from "@suture/testkit/authoring";

const FOLDERS = ["kernel", "mm", "fs", "net", "block", "lib", "drivers"];

export async function extracts(task: Task, kernel: KernelContext, { count, seed }: { count: number; seed: number }): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "suture-extract-"));
  const built: Livepatch[] = [];
  let tried = 0;
  try {
    for (const word of await chosen(task, kernel, count, seed)) {
      tried++;
      const name = word.slice(word.indexOf(":") + 1);
      const step = async (): Promise<Livepatch> => {
        const { text, notes } = await extractFunctions(task, kernel, [word]);
        for (const note of notes) console.log(`  ${note}`);
        const file = join(folder, `${name}.c`);
        await writeFile(file, text, "latin1");
        return buildLivepatch(task, kernel, {
          patches: [],
          sources: await readSources([file]),
          name: `extract-${built.length}`,
          replace: false,
          unproven: false,
        });
      };
      try {
        const livepatch = await step();
        built.push(livepatch);
        const [f] = livepatch.manifest.functions;
        console.log(`${word}: built as ${livepatch.file}, ${f?.sizeBefore} -> ${f?.size} bytes`);
      } catch (error) {
        if (!(error instanceof SutureError)) throw error;
        console.log(`${word}: ${error.code} ${error.message.slice(0, 1500)}`);
      }
    }
    console.log(`${built.length} of ${tried} files were built`);
    return (await loadAll(task, kernel, built)) && built.length === tried;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** FILE.c:FUNCTION of functions that the kernel has and can redirect; each of another object. */
async function chosen(task: Task, kernel: KernelContext, count: number, seed: number): Promise<string[]> {
  const { builtIn } = kernel.commands;
  const words: string[] = [];
  const each = FOLDERS.map((name) =>
    pick(
      builtIn.filter((object) => object.startsWith(`${name}/`)),
      count,
      seed,
    ),
  );
  for (let i = 0; words.length < count && i < count; i++)
    for (const object of each.flatMap((list) => list.slice(i, i + 1))) {
      if (words.length === count) break;
      const { source } = kernel.commands.of(object);
      const functions = await replaceable(task, kernel, object);
      const [name] = pick(functions, 1, seed + i);
      if (name !== undefined) words.push(`${source}:${name}`);
    }
  return words;
}

/** By an identity livepatch that the differ would make: its own list of functions that can be replaced. */
async function replaceable(task: Task, kernel: KernelContext, object: string): Promise<string[]> {
  try {
    const { manifest } = await buildLivepatch(task, kernel, { patches: [], rebuild: [object], replace: false, unproven: false });
    return manifest.functions.map(({ name }) => name).filter((name) => /^\w+$/.test(name) && !/^__(x64|ia32|se|do)_/.test(name));
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    return [];
  }
}

async function loadAll(task: Task, kernel: KernelContext, built: readonly Livepatch[]): Promise<boolean> {
  const guest = await bootWith(task, kernel, built);
  let good = 0;
  try {
    for (const { file, manifest } of built) {
      const from = guest.logPosition;
      const name = file.slice(0, -3);
      const output = await said(guest, `load ${name}; cat /proc/meminfo >/dev/null; ls / >/dev/null; unload ${name.replaceAll("-", "_")}`);
      const wrong = [output, ...guest.events(from).map(({ headline }) => headline)].filter((text) => text !== "");
      if (wrong.length === 0) good++;
      else console.log(`${manifest.functions[0]?.name}: ${wrong.join("; ")}`);
    }
  } finally {
    await guest.stop();
  }
  console.log(`${good} of ${built.length} livepatches were loaded and taken out again`);
  return good === built.length;
}
