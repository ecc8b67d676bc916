/**
 * How the kernel's build compiles the objects of modules whose source is outside of its tree (make M=FOLDER). make is asked in a copy of that
 * folder, in which nothing is built yet: the folder itself is only read, and what it was built to is left as it is.
 */
import { cp, readdir } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { oddIn, sha256 } from "@suture/files";
import type { Target } from "@suture/sources";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import { Commands, rowsOf } from "./commands.ts";
import { makeRow, type Row } from "./row.ts";
import { stepsOf } from "./steps.ts";

/** What the build makes. Objects that come with the source end in _shipped. */
const MADE = /\.(?:o|ko|mod|mod\.c|a|d|cmd|order|symvers)$|^\.(?:tmp_|git$|\w.*\.cmd$)/;

export interface OutsideCommands {
  /** Objects and sources are named as in the folder: sub/part.o. */
  commands: Commands;
  /** Where they run: in the kernel's tree, or in the folder, as builds since 6.13 do. */
  cwd: string;
}

/**
 * @param folder an absolute path without links
 * @throws OUTSIDE_KBUILD
 */
export async function outsideCommands(task: Task, target: Target, kernel: Commands, folder: string): Promise<OutsideCommands> {
  const odd = oddIn(folder);
  if (odd !== undefined) throw fail("OUTSIDE_KBUILD", `the kernel's build cannot work in a folder whose path has ${odd}`, { file: folder });
  return inScratch("outside", async (scratch) => {
    const copy = join(scratch, "source");
    await cp(folder, copy, { recursive: true, verbatimSymlinks: true, filter: (from) => from === folder || !MADE.test(basename(from)) });
    const argv = ["make", "-n", "-k", "-j1", "V=1", ...target.make, `M=${copy}`, "modules"];
    const { stdout, stderr } = await run(task, argv, { cwd: target.tree, accept: [1, 2] });
    const inFolder = stdout.includes(` -C ${copy} `);
    const rows = rowsOf(stdout).flatMap((row) => rowInside(inFolder ? fromCopy(row, copy) : row, copy, folder, kernel));
    if (rows.length === 0)
      throw fail("OUTSIDE_KBUILD", `make -n M=${folder} printed no command that compiles an object: ${lastLine(stderr)}`, { file: folder });
    const { steps, programs } = stepsOf(stdout);
    const inside = (path: string): string => (path.startsWith(`${copy}/`) ? path.slice(copy.length + 1) : path);
    const own = steps.map((step) => ({
      ...step,
      output: inside(step.output),
      source: inside(step.source),
      command: step.command.replaceAll(copy, folder),
      inputs: step.inputs.map(inside),
    }));
    const commands = new Commands(rows, { steps: own, programs }, { ...kernel.circumstances, buildPath: undefined });
    return { commands, cwd: inFolder ? folder : target.tree };
  });
}

/** A hash of the names of all that is in the folder, but for what its build makes. */
export async function namesIn(folder: string): Promise<string> {
  const names: string[] = [];
  const walk = async (at: string): Promise<void> => {
    for (const entry of await readdir(join(folder, at), { withFileTypes: true })) {
      if (MADE.test(entry.name)) continue;
      const path = join(at, entry.name);
      names.push(path);
      if (entry.isDirectory()) await walk(path);
    }
  };
  await walk("");
  return sha256(names.sort().join("\0"));
}

/** A row whose command runs in the copy: only object, source and what is written beside the object get whole paths, for `rowInside` to take away. */
function fromCopy(row: Row, copy: string): Row {
  return isAbsolute(row.object) ? row : { ...row, object: `${copy}/${row.object}`, source: `${copy}/${row.source}` };
}

/** The row of an object of the copy, as if it had been made in the folder. */
function rowInside({ object, source, owner, compile, objtool }: Row, copy: string, folder: string, kernel: Commands): Row[] {
  if (!object.startsWith(`${copy}/`) || !source.startsWith(`${copy}/`)) return [];
  const name = object.slice(copy.length + 1);
  const slash = object.lastIndexOf("/");
  const depfile = `${object.slice(0, slash + 1)}.${object.slice(slash + 1)}.d`;
  const ownDepfile = depfile.slice(copy.length + 1);
  const relative = (text: string): string =>
    text.replaceAll(depfile, ownDepfile).replaceAll(object, name).replaceAll(`,./${ownDepfile} `, `,${ownDepfile} `);
  return [
    makeRow({
      object: name,
      source: source.slice(copy.length + 1),
      owner,
      compile: relative(compile).replaceAll(copy, folder),
      objtool: objtool === "" ? kernel.delayedObjtool(name) : relative(objtool).replaceAll(copy, folder),
    }),
  ];
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
