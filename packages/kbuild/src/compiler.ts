/** What a compiler says of itself, and what tells it from any other; kept while its programs are the same. */
import { readFile, realpath } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { findProgram, keepJson, readKept, sha256, stampOf } from "@suture/files";
import { run, type Task } from "@suture/task";
import * as v from "valibot";

export interface CompilerFacts {
  /** First line of --version. */
  version: string;
  /** It can write types down as BTF. */
  writesBtf: boolean;
  /** Of the version and of the programs themselves: those of one version may be built in several ways. */
  identity: string;
  /** Whose facts these are, as far as they can be told. */
  programs: readonly string[];
  /** Milliseconds since the epoch: they have been so since then. */
  since: number;
}

/** To be raised with every change to what is kept. */
const VERSION = 2;

/** `cc1` and `as` are what the compiler calls them: a path, or a name on the PATH. `proof` ties the facts to the programs. */
const FACTS = { cc1: v.string(), as: v.string(), version: v.string(), writesBtf: v.boolean(), identity: v.string() };
const KEPT = v.object({ ...FACTS, proof: v.string() });
type Facts = v.InferOutput<v.ObjectSchema<typeof FACTS, undefined>>;

/** @param program its name, or its path */
export async function compilerFacts(task: Task, program: string, cache: string): Promise<CompilerFacts> {
  const path = isAbsolute(program) ? program : await findProgram(program);
  const driver = path === undefined ? undefined : await realpath(path).catch(() => undefined);
  // What it is called by counts, too: a program of many names looks at that.
  const kept = join(cache, `compiler-${sha256(`${VERSION}\n${path}\n${driver}`).slice(0, 32)}.json`);
  const programsOf = async ({ cc1, as }: Pick<Facts, "cc1" | "as">): Promise<string[] | undefined> => {
    const found = [path, driver, await placeOf(cc1), await placeOf(as)];
    return found.every((one) => one !== undefined) ? found : undefined;
  };
  // Programs that are exchanged from now on are not those that are asked.
  const since = Date.now();
  const known = await readKept(kept, KEPT);
  if (known !== undefined) {
    const programs = await programsOf(known);
    const stamp = programs && stampOf(programs);
    if (programs && stamp !== undefined && known.proof === proofOf(stamp, known)) return { ...known, programs, since };
  }
  const [version, btf, cc1, as] = await task.together([
    (part) => run(part, [program, "--version"]),
    (part) => run(part, [program, "-gbtf", "-E", "-x", "c", "/dev/null"], { accept: [1] }),
    (part) => run(part, [program, "-print-prog-name=cc1"], { accept: [1] }),
    (part) => run(part, [program, "-print-prog-name=as"], { accept: [1] }),
  ]);
  const line = version.stdout.split("\n")[0] ?? "";
  const said = { cc1: cc1.stdout.trim(), as: as.stdout.trim() };
  const whole = await programsOf(said);
  const programs = whole ?? [path, driver].filter((one) => one !== undefined);
  const identity = sha256(...[line, ...(await contentsOf(programs))].flatMap((one) => [one, "\0"]));
  const facts = { ...said, version: line, writesBtf: btf.code === 0, identity };
  // A compiler that does not say which program compiles may change behind its driver.
  const stamp = whole && stampOf(whole, since);
  if (stamp !== undefined) await keepJson(task, kept, { ...facts, proof: proofOf(stamp, facts) });
  return { ...facts, programs, since };
}

async function placeOf(program: string): Promise<string | undefined> {
  if (isAbsolute(program)) return program;
  return program === "" ? undefined : findProgram(program);
}

function proofOf(stamp: string, { cc1, as, version, writesBtf, identity }: Facts): string {
  return sha256(JSON.stringify(["compiler facts", stamp, cc1, as, version, writesBtf, identity]));
}

/** What cannot be read is told apart by its name. */
async function contentsOf(programs: readonly string[]): Promise<string[]> {
  return Promise.all(programs.map(async (path) => sha256(await readFile(path).catch(() => path))));
}
