/** A run that somebody looks at: each decision as a line, or all of it in a folder. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SutureError } from "@suture/errors";
import type { Decision, Looks } from "@suture/pipeline";
import { decisionsDocument } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "./errors.ts";

export interface LookOptions {
  explain?: boolean;
  keep?: string;
}

/** Does `work`, which is looked at. @throws CLI_FILE for a folder that holds something, and what `work` throws */
export async function lookedAt<T>(task: Task, { explain = false, keep }: LookOptions, work: (looks: Looks) => Promise<T>): Promise<T> {
  if (!explain && keep === undefined) return work({});
  if (keep !== undefined) await emptyFolder(keep);
  const decisions: Decision[] = [];
  const decide = (made: readonly Decision[]): void => {
    decisions.push(...made);
    if (explain) for (const { object, what, name, why } of made) task.reporter.tell(`${object}: ${what} ${name}: ${why}`);
  };
  const save = async (object: string, build: string, bytes: Uint8Array): Promise<void> => {
    if (keep === undefined) return;
    const file = join(keep, `${object.replace(/\.o$/, "")}.${build}.o`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
  };
  try {
    return await work({
      observe: async ({ object, original, patched }) => {
        await save(object, "original", original);
        await save(object, "patched", patched);
      },
      decided: async ({ object, decisions: made, delta }) => {
        decide(made);
        if (delta !== undefined && keep !== undefined) await save(object, "delta", delta());
      },
    });
  } catch (error) {
    if (error instanceof SutureError) decide([error, ...error.others].map(refused));
    throw error;
  } finally {
    if (keep !== undefined)
      await writeFile(join(keep, "decisions.json"), `${JSON.stringify(decisionsDocument.of({ decisions }), undefined, 2)}\n`);
  }
}

function refused({ code, message, where }: SutureError): Decision {
  const object = where.file ?? "";
  return { object, what: "refused", name: where.symbol ?? object, why: `${code}: ${message}` };
}

async function emptyFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    const [first] = await readdir(folder);
    if (first !== undefined)
      throw fail("CLI_FILE", `it holds ${first} already`, { file: folder }, { mend: "Name a new or an empty folder." });
  } catch (error) {
    if (error instanceof SutureError || !(error instanceof Error)) throw error;
    throw fail("CLI_FILE", error.message, { file: folder }, { cause: error });
  }
}
