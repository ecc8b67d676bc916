/** A builder has done: what it sent is held against what was asked for, and put where holders of keys find it. None of it is signed by being here. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { sha256 } from "@suture/files";
import { inspect, moduleName } from "@suture/livepatch";
import { BUILD_FILES, type BuildEnd, type BuildFile, type Built, GOOD_TRIALS } from "@suture/protocol";
import * as v from "valibot";
import type { Sql } from "../database/sql.ts";
import { fail } from "../errors.ts";
import { BUILT, type BuildFolder, placeOf } from "./files.ts";
import { type Claim, ended, held } from "./queue.ts";
import { oneBuild } from "./row.ts";

/** What is looked at of a trial's document; all of it is for people. */
const trialSchema = v.object({
  schema: v.pipe(v.string(), v.regex(/^suture\/try-\d+$/)),
  buildId: v.string(),
  outcome: v.pipe(v.string(), v.maxLength(50)),
});

/** @throws FLEET_STATE, FLEET_REQUEST, FLEET_BUILD, FLEET_ROOM */
export async function finish(sql: Sql, folder: BuildFolder, claimed: Claim, end: BuildEnd): Promise<void> {
  const { outcome, code, why, mend } = end;
  if (outcome === "built" && (await isPutUp(sql, claimed, end))) return;
  await held(sql, claimed);
  if (outcome !== "built") {
    await ended(sql, claimed, { outcome, code, why, mend });
    await folder.drop(claimed);
    return;
  }
  const built = (await again(folder, claimed, end)) ?? (await puttingUp(sql, folder, claimed, end));
  const { trial } = built;
  const good = GOOD_TRIALS.has(trial);
  const place = `builds/${placeOf(claimed.id, good)}`;
  try {
    await ended(sql, claimed, {
      outcome: good ? "ready" : "bad",
      code: good ? "" : "TRIAL",
      why: good ? "it is to be read and signed" : `its trial: ${trial}`,
      mend: good
        ? `Read it (/builds/${claimed.id}/review), then: suture repo add FOLDER --build ${claimed.id}`
        : `See the trial in ${place}.`,
      module: { sha256: built.sha256.module, trial, folder: place },
    });
  } catch (error) {
    // Cancelled in the meantime: what nobody waits for is not put up. Where it is not known, the builder says it again.
    if (error instanceof SutureError && error.code === "FLEET_STATE") await folder.remove(claimed.id);
    throw error;
  }
  await folder.drop(claimed);
}

/** It is said again by a builder that did not hear the answer. */
async function isPutUp(sql: Sql, { id, builder, attempt }: Claim, { files }: BuildEnd): Promise<boolean> {
  const module = files.find(({ file }) => file === "module")?.sha256 ?? "";
  const rows = await sql`
    select from build where id = ${id} and builder = ${builder} and attempt = ${attempt} and state in ('ready', 'bad') and sha256 = ${module}`;
  return rows.length > 0;
}

/** @returns what was put up already, where the server ended before it said so */
async function again(folder: BuildFolder, claimed: Claim, { files }: BuildEnd): Promise<Built | undefined> {
  const settled = await folder.settled(claimed);
  return settled !== undefined && files.every(({ file, sha256: digest }) => settled.sha256[file] === digest) ? settled : undefined;
}

async function puttingUp(sql: Sql, folder: BuildFolder, claimed: Claim, end: BuildEnd): Promise<Built> {
  const build = await oneBuild(sql, claimed.id);
  await folder.check(claimed, end.files);
  const { name, trial } = await looked(folder, claimed, build.build_id);
  const sent = new Map(end.files.map(({ file, sha256: digest }) => [file, digest]));
  const by = <T>(value: (file: BuildFile) => T): Record<BuildFile, T> => ({
    module: value("module"),
    report: value("report"),
    review: value("review"),
    trial: value("trial"),
  });
  const built: Built = {
    "suture-build": 1,
    id: build.id,
    attempt: claimed.attempt,
    release: build.release,
    buildId: build.build_id,
    targetRelease: build.target_release,
    targetVersion: build.target_version,
    builder: claimed.builder,
    trial,
    files: by((file) => `${name}${BUILD_FILES[file].suffix}`),
    sha256: by((file) => sent.get(file) ?? ""),
  };
  const beside = { [BUILT]: `${JSON.stringify(built, undefined, 1)}\n`, "log.txt": build.log };
  await folder.settle(claimed, { name, beside, good: GOOD_TRIALS.has(trial) });
  return built;
}

/** Whoever adds it to the repository has all of it checked again. @throws FLEET_BUILD */
async function looked(folder: BuildFolder, claimed: Claim, buildId: string): Promise<{ name: string; trial: string }> {
  const path = (file: BuildFile): string => join(folder.partial(claimed), file);
  const wrong = (file: BuildFile, why: string): Error => fail("FLEET_BUILD", `the ${file}: ${why}`, { file: claimed.id });
  const bytes = await readFile(path("module"));
  const { manifest, livepatch, faults, name } = inspect(bytes, "the module");
  if (!livepatch || manifest === undefined) throw wrong("module", "it is no livepatch that Suture has made");
  if (faults.length > 0) throw wrong("module", faults.join("; "));
  if (manifest.kernel.buildId !== buildId)
    throw wrong("module", `it is for ${manifest.kernel.release} with the build-id ${manifest.kernel.buildId}, and machines run ${buildId}`);
  if (!manifest.proof.proven) throw wrong("module", "it is not proven to fit");
  if (manifest.catchUp === undefined) throw wrong("module", "it is no catch-up");
  const known = moduleName(name);
  // With its suffix it is no name of what the server writes beside it.
  if (!/^\w{1,55}$/.test(known) || `${known}.json` === BUILT) throw wrong("module", `"${known}" is no module's name`);
  const review = await readFile(path("review"));
  if (!review.includes(sha256(bytes))) throw wrong("review", "it is of another module");
  const trial = trialIn(await readFile(path("trial"), "utf8"));
  if (trial === undefined) throw wrong("trial", "it is not what `suture try --json` prints");
  if (trial.buildId !== buildId) throw wrong("trial", `it was on the build-id ${trial.buildId}`);
  return { name: known, trial: trial.outcome };
}

function trialIn(text: string): v.InferOutput<typeof trialSchema> | undefined {
  try {
    const checked = v.safeParse(trialSchema, JSON.parse(text));
    return checked.success ? checked.output : undefined;
  } catch {
    return undefined;
  }
}
