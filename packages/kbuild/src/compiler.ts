/** What a compiler says of itself, kept while its programs are the same. */
import { realpath } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { findProgram, keepJson, readKept, sha256, stampOf } from "@suture/files";
import { run, type Task } from "@suture/task";
import * as v from "valibot";

export interface CompilerFacts {
  /** First line of --version. */
  version: string;
  /** It can write types down as BTF. */
  writesBtf: boolean;
}

const KEPT = v.object({ programs: v.array(v.string()), stamp: v.string(), version: v.string(), writesBtf: v.boolean() });

/** @param program its name, or its path */
export async function compilerFacts(task: Task, program: string, cache: string): Promise<CompilerFacts> {
  const path = isAbsolute(program) ? program : await findProgram(program);
  const driver = path === undefined ? undefined : await realpath(path).catch(() => undefined);
  // What it is called by counts, too: a program of many names looks at that.
  const kept = join(cache, `compiler-${sha256(`${path}\n${driver}`).slice(0, 32)}.json`);
  const known = await readKept(kept, KEPT);
  if (known !== undefined && known.stamp === stampOf(known.programs)) return known;
  const [version, btf, inner] = await task.together([
    (part) => run(part, [program, "--version"]),
    (part) => run(part, [program, "-gbtf", "-E", "-x", "c", "/dev/null"], { accept: [1] }),
    (part) => run(part, [program, "-print-prog-name=cc1"], { accept: [1] }),
  ]);
  const facts = { version: version.stdout.split("\n")[0] ?? "", writesBtf: btf.code === 0 };
  const compiler = inner.stdout.trim();
  // A compiler that does not say which program compiles may change behind its driver.
  if (driver !== undefined && path !== undefined && isAbsolute(compiler)) {
    const programs = [path, driver, compiler];
    const stamp = stampOf(programs);
    if (stamp !== undefined) await keepJson(task, kept, { programs, stamp, ...facts });
  }
  return facts;
}
