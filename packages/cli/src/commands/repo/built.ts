/** What a builder of the fleet has put up in the repository's folder. The server is not asked: it wrote there what it took, and may be down. */
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256OfFile } from "@suture/files";
import { type Built, builtSchema, fleetAnswer, GOOD_TRIALS } from "@suture/protocol";
import type { Task } from "@suture/task";
import { fail } from "../../errors.ts";

/** All of it as the server had it when it was put up. @throws CLI_USAGE, CLI_BUILD */
export async function builtIn(task: Task, folder: string, id: string): Promise<{ module: string; account: string; review: string }> {
  if (!/^[0-9a-f]{12}$/.test(id)) throw fail("CLI_USAGE", `--build ${id} is no id of a build: \`suture fleet builds\` lists them`);
  const of = join(folder, "builds", id);
  const { files, sha256 } = await saidIn(folder, id);
  for (const which of ["module", "report", "review", "trial"] as const) {
    const path = join(of, files[which]);
    // In its folder, and nowhere else.
    if (!/^\w[\w.]*$/.test(files[which])) throw fail("CLI_BUILD", `"${files[which]}" is no file of a build`, { file: of });
    const is = await sha256OfFile(task, path).catch((error: unknown) => {
      task.check();
      return error instanceof Error ? error.message : String(error);
    });
    if (is !== sha256[which]) throw fail("CLI_BUILD", `the ${which} is not what the server took from the builder: ${is}`, { file: path });
  }
  return { module: join(of, files.module), account: join(of, files.report), review: join(of, files.review) };
}

async function saidIn(folder: string, id: string): Promise<Built> {
  const file = join(folder, "builds", id, "build.json");
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) {
    const bad = join(folder, "builds/bad", id);
    const isBad = await access(bad).then(
      () => true,
      () => false,
    );
    if (isBad) throw fail("CLI_BUILD", `the trial of ${id} failed: nothing of it is to be signed`, { file: bad });
    throw fail("CLI_BUILD", `nothing is put up as ${id} in this repository's folder`, { file });
  }
  const found = fleetAnswer(builtSchema, 200, text);
  if (!("good" in found)) throw fail("CLI_BUILD", "it does not say what was built", { file });
  const built = found.good;
  if (built.id !== id) throw fail("CLI_BUILD", `it is of the build ${built.id}`, { file });
  if (!GOOD_TRIALS.has(built.trial))
    throw fail("CLI_BUILD", `its trial: ${built.trial.slice(0, 50)}; nothing of it is to be signed`, { file });
  return built;
}
