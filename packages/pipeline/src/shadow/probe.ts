/** What the compiler says of an object's source in a view, where what it is asked is written into the source so that it must complain. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectCommand, SourceView } from "@suture/kbuild";
import { inputsOf, replaced } from "@suture/kbuild";
import { inScratch } from "@suture/sources";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";

export interface Spot {
  /** Path in the source tree. */
  file: string;
  line: number;
  column: number;
}

export interface Said extends Spot {
  kind: "error" | "warning";
  message: string;
  /** Where the macros were used in which it is, the innermost first. */
  through: (Spot & { macro: string })[];
}

export interface Probed {
  said: Said[];
  /** Files that were read, as in the tree. */
  inputs: string[];
}

/** Columns are bytes, and messages in English, whatever the machine is set to. */
const OPTIONS = "-fsyntax-only -fmax-errors=0 -ftabstop=1 -fno-diagnostics-show-caret -fdiagnostics-color=never -Wc++-compat";

/** @throws BUILD_KBUILD */
export async function probe(task: Task, command: ObjectCommand, view: SourceView): Promise<Probed> {
  const { object, compile, depfile } = command;
  return inScratch("probe", async (scratch) => {
    const inputs = join(scratch, "inputs");
    const target = ` -c -o ${object} `;
    const at = compile.lastIndexOf(target);
    if (at < 0) throw fail("BUILD_KBUILD", `the command that compiles it does not have "${target.trim()}"`, { file: object });
    const flags = replaced(view.compile(compile.slice(0, at)), depfile, inputs, object);
    const line = `LC_ALL=C ${flags} ${OPTIONS} ${view.spell(compile.slice(at + target.length))}`;
    const { stderr } = await run(task, ["sh", "-c", line], { cwd: view.cwd, accept: [1] });
    const read = await readFile(inputs, "utf8").catch(() => "");
    return { said: saidIn(stderr, view), inputs: read === "" ? [] : inputsOf(read).map((path) => pathIn(path, view)) };
  });
}

/** As the tree has it. */
function pathIn(path: string, view: SourceView): string {
  const own = path.startsWith(`${view.root}/`) ? path.slice(view.root.length + 1) : path;
  return own.replace(/^(?:\.\/)+/, "");
}

function saidIn(text: string, view: SourceView): Said[] {
  const said: Said[] = [];
  for (const line of text.split("\n")) {
    const [, file, at, column, kind, message = ""] = /^(.*?):(\d+):(\d+): (error|warning|note): (.*)$/.exec(line) ?? [];
    if (file === undefined) continue;
    const spot = { file: pathIn(file, view), line: Number(at), column: Number(column) };
    if (kind !== "note") said.push({ ...spot, kind: kind === "error" ? "error" : "warning", message, through: [] });
    else {
      const macro = /^in (?:expansion|definition) of macro '(\w+)'/.exec(message)?.[1];
      if (macro !== undefined) said.at(-1)?.through.push({ ...spot, macro });
    }
  }
  return said;
}
