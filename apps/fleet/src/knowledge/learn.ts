/** From the signed repository into the database: which livepatches there are, and what each says of CVEs. */
import type { VerifiedPatch } from "@suture/trust";
import { audit } from "../audit/audit.ts";
import type { Sql, Within } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Steering } from "../steering/steering.ts";
import { accountIn, manifestIn, type Told, toldBy } from "./told.ts";

const ITSELF = "the server";
const LEARN_LOCK = 7_710_005;
/** Of what is made of the files: with another one they are read again. */
const FORM = 2;
/** What cannot be read is looked at again when something is published, or after this. */
const AGAIN_MS = 600_000;

export class Learner {
  readonly #sql: Sql;
  readonly #steering: Steering;
  /** Of what is published, the version that is in the database. */
  #version = 0;
  /** The version of which something could not be read, and until when it is let be. */
  #failed: { version: number; until: number } | undefined;

  constructor(sql: Sql, steering: Steering) {
    this.#sql = sql;
    this.#steering = steering;
  }

  /** What is not known yet; a look at one file where there is nothing new. @throws TRUST_*, FLEET_STEERING */
  async learn(): Promise<void> {
    const version = await this.#steering.version();
    if (version === this.#version) return;
    if (this.#failed?.version === version && performance.now() < this.#failed.until) return;
    const all = await this.#steering.livepatches();
    const withdrawn = (await this.#steering.withdrawals()).entries.map(({ sha256 }) => sha256);
    const rows = await this.#sql<{ sha256: string; learnt_of: string }>`select sha256, learnt_of from livepatch`;
    const known = new Map(rows.map(({ sha256, learnt_of }) => [sha256, learnt_of]));
    const failures: unknown[] = [];
    for (const patch of all) {
      if (known.get(patch.sha256) === learntOf(patch)) continue;
      await this.#told(patch)
        .then((told) => this.#put(patch, told))
        .catch((error: unknown) => failures.push(error));
    }
    const listed = all.map(({ sha256 }) => sha256);
    await this.#sql.begin(async (within) => {
      const isOther = within`listed <> (sha256 = any(${listed})) or withdrawn <> (sha256 = any(${withdrawn}))`;
      // Where nothing is other nothing is made anew of it.
      if ((await within`select from livepatch where ${isOther} limit 1`).length === 0) return;
      const changed = await within<{ sha256: string; name: string; listed: boolean; withdrawn: boolean }>`
        update livepatch set listed = sha256 = any(${listed}), withdrawn = sha256 = any(${withdrawn}), learnt_at = clock_timestamp()
        where ${isOther} returning sha256, name, listed, withdrawn`;
      for (const { sha256, withdrawn: isBack, ...detail } of changed)
        await audit(within, { who: ITSELF, what: isBack ? "livepatch withdrawn" : "livepatch listed otherwise", about: sha256, detail });
    });
    // The others are known; of this one it is not said that it carries nothing.
    if (failures.length > 0) {
      this.#failed = { version, until: performance.now() + AGAIN_MS };
      throw failures[0];
    }
    this.#version = version;
  }

  async #told({ custom: { beside } }: VerifiedPatch): Promise<Told> {
    const text = async (file: { path: string; sha256: string }): Promise<string> => (await this.#steering.beside(file)).toString("utf8");
    const manifest = manifestIn(await text(beside.manifest));
    if (manifest === undefined)
      throw fail("FLEET_STEERING", "the manifest is of a form that is not known here", { file: beside.manifest.path });
    return toldBy(manifest, beside.account === null ? undefined : accountIn(await text(beside.account)));
  }

  async #put(patch: VerifiedPatch, told: Told): Promise<void> {
    const { sha256, custom } = patch;
    const { name, kernel, counter, proof, beside } = custom;
    const row = {
      name,
      release: kernel.release,
      build_id: kernel.buildId,
      counter,
      proven: proof.proven,
      base_version: told.baseVersion,
      target_version: told.targetVersion,
      target_release: told.targetRelease,
      whole: told.whole,
      account: beside.account === null ? null : JSON.stringify(beside.account),
      review: beside.review === null ? null : JSON.stringify(beside.review),
      learnt_of: learntOf(patch),
    };
    await this.#sql.begin(async (within) => {
      // Of several servers one writes it.
      await within`select pg_advisory_xact_lock(${LEARN_LOCK})`;
      const [before] = await within<{ learnt_of: string }>`select learnt_of from livepatch where sha256 = ${sha256}`;
      if (before?.learnt_of === row.learnt_of) return;
      if (before === undefined) await within`insert into livepatch ${within.columns({ sha256, ...row, listed: true, withdrawn: false })}`;
      else {
        await within`
          update livepatch set counter = ${counter}, base_version = ${row.base_version}, target_version = ${row.target_version},
            target_release = ${row.target_release}, whole = ${row.whole}, account = ${row.account}, review = ${row.review}, learnt_of = ${row.learnt_of},
            learnt_at = clock_timestamp() where sha256 = ${sha256}`;
        await within`delete from livepatch_cve where livepatch = ${sha256}`;
      }
      await putCves(within, sha256, told);
      const what = before === undefined ? "livepatch published" : "livepatch told of anew";
      await audit(within, { who: ITSELF, what, about: sha256, detail: { name, release: kernel.release, counter } });
    });
  }
}

/** What is said of one may be signed anew, with another account or number. */
const learntOf = ({ custom: { counter, beside } }: VerifiedPatch): string =>
  JSON.stringify([FORM, counter, beside.manifest.sha256, beside.account?.sha256 ?? null, beside.review?.sha256 ?? null]);

async function putCves(within: Within, livepatch: string, { cves }: Told): Promise<void> {
  const rows = JSON.stringify(
    cves.map(({ firstIn, fixedIn, ...more }) => ({ ...more, first_in: firstIn, fixed_in: fixedIn, title: more.title ?? "" })),
  );
  await within`
    insert into livepatch_cve (livepatch, cve, state, why, code, mend, first_in, fixed_in, own)
    select ${livepatch}, cve, state, why, code, mend, first_in, fixed_in, own
    from jsonb_to_recordset(${rows}::text::jsonb)
      as r (cve text, state text, why text, code text, mend text, first_in text, fixed_in text, own boolean)`;
  await within`
    insert into cve (id, title) select cve, title from jsonb_to_recordset(${rows}::text::jsonb) as r (cve text, title text) order by cve
    on conflict (id) do update set title = excluded.title where cve.title = '' and excluded.title <> ''`;
}
