/** The index of a kernel: made of its source once, and kept. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type IncludeGraph, type KernelContext, keyOf } from "@suture/kbuild";
import { run, type Stage, type Task } from "@suture/task";
import { type IndexData, IndexMaker, NameIndex } from "./index.ts";
import { keepIndex, readIndex } from "./kept.ts";

/** To be raised with every change to what is read of a file, or kept. */
const VERSION = 4;

export async function indexOf(task: Task, kernel: KernelContext, graph: IncludeGraph, stage: Stage): Promise<NameIndex> {
  const path = join(kernel.cache, "kbuild", `${keyOf(kernel.target, ["names", VERSION])}.names`);
  let data = await readIndex(path);
  if (data === undefined) {
    data = await made(task, kernel, graph, stage);
    await keepIndex(task, path, data);
  }
  return new NameIndex(data);
}

async function made(task: Task, kernel: KernelContext, graph: IncludeGraph, stage: Stage): Promise<IndexData> {
  const { target, commands } = kernel;
  const maker = new IndexMaker();
  const headers = await headersOf(task, kernel, graph);
  const { sources } = commands;
  for (const [done, path] of [...headers, ...sources].entries()) {
    if (done % 50 === 0) {
      stage.note(`names of ${path}`);
      stage.progress(done, headers.length + sources.length, "files");
      await task.pause();
    }
    // What the build makes may not be there: no text of a patch is in it.
    const text = await readFile(join(target.tree, path), "latin1").catch(() => "");
    if (done < headers.length) maker.addHeader(path, text);
    else maker.addSource(path, text);
  }
  return maker.done();
}

/** All that something may include that is built. */
async function headersOf(task: Task, { target, commands }: KernelContext, graph: IncludeGraph): Promise<string[]> {
  const { tree, arch } = target;
  const tops = [...new Set(commands.sources.map((path) => path.split("/")[0] ?? ""))].filter((top) => top !== "arch" && top !== "include");
  const argv = [
    "find",
    "-L",
    "include",
    arch.kbuild.folder,
    ...tops.sort(),
    "-type",
    "f",
    "(",
    "-name",
    "*.h",
    "-o",
    "-name",
    "*.c",
    "-o",
    "-name",
    "*.inc",
    ")",
  ];
  // Links that lead nowhere or in a circle are said to be errors.
  const { stdout } = await run(task, argv, { cwd: tree, accept: [1] });
  const included = graph.namesFrom(commands.sources);
  const forced = new Set(commands.forced);
  return stdout
    .split("\n")
    .filter((path) => path !== "" && (included.has(path.slice(path.lastIndexOf("/") + 1)) || forced.has(path)))
    .sort();
}
