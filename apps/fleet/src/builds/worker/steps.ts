/** A build, by the command: caught up, its page of review written, tried. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { BUILD_FILES, type BuildEnd, type BuildFile, type BuildOrder, buildWords } from "@suture/protocol";
import { run, type Task } from "@suture/task";
import * as v from "valibot";

/** What may go well another time: the archive, the disk, a program that was killed. All else says of the kernel and the release what stays so. */
const PASSING = /^(?:ARCHIVE_|CACHE_|COMMAND_|CANCELLED$|CLI_FILE$|CLI_INTERNAL$|LAB_)/;
const refusalSchema = v.looseObject({ error: v.looseObject({ code: v.string(), why: v.string(), mend: v.string() }) });

export type Outcome = Pick<BuildEnd, "outcome" | "code" | "why" | "mend"> & { files: Partial<Record<BuildFile, string>> };

export interface Steps {
  /** The command. */
  suture: readonly string[];
  order: BuildOrder;
  /** For this build alone. */
  folder: string;
  /** Milliseconds that are left. */
  left: () => number;
  stage: (name: string) => void;
  print: (text: string) => void;
}

/** @throws CANCELLED */
export async function build(task: Task, steps: Steps): Promise<Outcome> {
  const { order, folder } = steps;
  const { release, targetRelease, options } = order;
  const module = join(folder, "livepatch.ko");
  const files = {
    module,
    report: join(folder, `report${BUILD_FILES.report.suffix}`),
    review: join(folder, "review.html"),
    trial: join(folder, `trial${BUILD_FILES.trial.suffix}`),
  };
  const caught = await asked(task, steps, "caught up", [
    ...["catch-up", "--kernel", release, "--to", targetRelease, "--output", module, "--report", join(folder, "units.json")],
    ...buildWords(options).flatMap(({ option, values }) => [option, ...values]),
  ]);
  if ("outcome" in caught) return caught;
  if (!/"file":/.test(caught.stdout.slice(0, 4096)) && !(await isThere(module)))
    return { outcome: "nothing", code: "", why: `nothing of ${targetRelease} can be carried`, mend: "", files: {} };
  await writeFile(files.report, caught.stdout);
  const reviewed = await asked(task, steps, "reviewed", ["review", module, "--kernel", release, "--output", files.review]);
  if ("outcome" in reviewed) return reviewed;
  const tried = await asked(task, steps, "tried", ["try", module, "--kernel", release]);
  if ("outcome" in tried) return tried;
  await writeFile(files.trial, tried.stdout);
  return { outcome: "built", code: "", why: "", mend: "", files };
}

async function isThere(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}

/** @returns what it printed, or why there is no build */
async function asked(
  task: Task,
  { suture, stage, print, left }: Steps,
  name: string,
  argv: readonly string[],
): Promise<{ stdout: string } | Outcome> {
  stage(`${name}: suture ${argv[0]}`);
  print(`$ suture ${argv.join(" ")}\n`);
  const failed = (why: string): Outcome => ({ outcome: "failed", code: "", why, mend: "", files: {} });
  try {
    // 1: refused, or a trial that failed; 2, 3: wrong words, nothing that is changed; the others died.
    const { code, stdout, stderr } = await run(task, [...suture, ...argv, "--json"], { accept: [1, 2, 3], timeoutMs: Math.max(1, left()) });
    print(stderr);
    const refused = refusalIn(stdout);
    if (refused !== undefined) {
      print(`${refused.code}: ${refused.why}\n`);
      return { outcome: PASSING.test(refused.code) ? "failed" : "refused", ...refused, files: {} };
    }
    if (code === 0 || (code === 1 && argv[0] === "try")) return { stdout };
    return failed(`suture ${argv[0]} ended with ${code} and said nothing`);
  } catch (error) {
    task.check();
    // It was killed, takes too long, or prints too much.
    if (error instanceof SutureError) return failed(error.message.slice(0, 2000));
    throw error;
  }
}

function refusalIn(stdout: string): Pick<Outcome, "code" | "why" | "mend"> | undefined {
  // Of documents that are long it is none.
  if (stdout.length > 4 * 1024 * 1024) return undefined;
  try {
    const checked = v.safeParse(refusalSchema, JSON.parse(stdout));
    if (!checked.success) return undefined;
    const { code, why, mend } = checked.output.error;
    return { code: code.slice(0, 64), why: why.slice(0, 2000), mend: mend.slice(0, 1000) };
  } catch {
    return undefined;
  }
}
