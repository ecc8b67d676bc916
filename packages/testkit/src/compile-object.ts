/** Objects of a kernel as its own build compiles them, or with something changed: for what needs real objects that are not the kernel's. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ElfObject, readElf } from "@suture/elf";
import type { KernelContext } from "@suture/kbuild";

export interface ObjectOptions {
  /** A section for each function and variable. */
  sections?: boolean;
  /** In place of the source file. */
  source?: string;
  /** Compiler options after the kernel's. */
  extra?: string;
  /** Changes the command line. */
  edit?: (command: string) => string;
  /** Without it, the object is as the compiler makes it. */
  objtool?: boolean;
  /** Another source tree. */
  tree?: string;
}

export interface CompiledObject {
  bytes: Uint8Array;
  elf: ElfObject;
  /** What gcc and objtool took. */
  ms: number;
}

/** @param folder for scratch files. @returns undefined if the compiler refuses */
export function compileObject(
  kernel: KernelContext,
  object: string,
  folder: string,
  options: ObjectOptions = {},
): CompiledObject | undefined {
  const { compile, objtool, depfile, source } = kernel.commands.of(object);
  const tree = options.tree ?? kernel.target.tree;
  const scratch = mkdtempSync(join(folder, "object-"));
  try {
    const out = join(scratch, "out.o");
    const given = ` -c -o ${object} `;
    const at = compile.lastIndexOf(given);
    const flags = compile.slice(0, at).replace(depfile, join(scratch, "out.d"));
    let input = compile.slice(at + given.length);
    const more = ["-g0", options.sections === true ? "-ffunction-sections -fdata-sections" : "", options.extra ?? ""];
    if (options.source !== undefined) {
      // Its own folder, and its name in messages, are those of the file that it stands for.
      input = join(scratch, source);
      mkdirSync(dirname(input), { recursive: true });
      writeFileSync(input, options.source, "latin1");
      more.push(`-iquote ${dirname(source)} -fmacro-prefix-map=${scratch}/=`);
    }
    const line = `${flags} ${more.join(" ")} -c -o ${out} ${input}`;
    const lines = [options.edit === undefined ? line : options.edit(line)];
    const last = objtool?.lastIndexOf(object) ?? -1;
    if (objtool !== undefined && options.objtool !== false) lines.push(objtool.slice(0, last) + out + objtool.slice(last + object.length));
    const started = performance.now();
    for (const command of lines) if (spawnSync("sh", ["-c", command], { cwd: tree }).status !== 0) return undefined;
    const ms = performance.now() - started;
    const bytes = new Uint8Array(readFileSync(out));
    return { bytes, elf: readElf(bytes, object), ms };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
