/** From the signed repository into the database: which livepatches there are, and what each says of CVEs. */
import type { VerifiedPatch } from "@suture/trust";
import { audit } from "../audit/audit.ts";
import type { Sql, Within } from "../database/sql.ts";
import { fail } from "../errors.ts";
import type { Steering } from "../steering/steering.ts";
import { accountIn, manifestIn, type Told, toldBy } from "./told.ts";

const ITSELF = "the server";
const LEARN_LOCK = 7_710_005;

export class Learner {
  readonly #sql: Sql;
  readonly #steering: Steering;
  /** Of what is published, the version that is in the database. */
  #version = 0;

  constructor(sql: Sql, steering: Steering) {
    this.#sql = sql;
    this.#steering = steering;
  }

  /** What is not known yet; a look at one file where there is nothing new. @throws TRUST_*, FLEET_STEERING */
  async learn(): Promise<void> {
    const version = await this.#steering.version();
    if (version === this.#version) return;
    const all = await this.#steering.livepatches();
    const withdrawn = (await this.#steering.withdrawals()).entries.map(({ sha256 }) => sha256);
    const known = new Set((await this.#sql<{ sha256: string }>`select sha256 from livepatch`).map(({ sha256 }) => sha256));
    const failures: unknown[] = [];
    for (const patch of all) {
      if (known.has(patch.sha256)) continue;
      await this.#told(patch)
        .then((told) => this.#put(patch, told))
        .catch((error: unknown) => failures.push(error));
    }
    const listed = all.map(({ sha256 }) => sha256);
    await this.#sql.begin(async (within) => {
      const changed = await within<{ sha256: string; name: string; listed: boolean; withdrawn: boolean }>`
        update livepatch set listed = sha256 = any(${listed}), withdrawn = sha256 = any(${withdrawn}), learnt_at = clock_timestamp()
        where listed <> (sha256 = any(${listed})) or withdrawn <> (sha256 = any(${withdrawn})) returning sha256, name, listed, withdrawn`;
      for (const { sha256, withdrawn: isBack, ...detail } of changed)
        await audit(within, { who: ITSELF, what: isBack ? "livepatch withdrawn" : "livepatch listed otherwise", about: sha256, detail });
    });
    // The others are known; of this one it is not said that it carries nothing.
    if (failures.length > 0) throw failures[0];
    this.#version = version;
  }

  async #told({ custom: { beside } }: VerifiedPatch): Promise<Told> {
    const text = async (file: { path: string; sha256: string }): Promise<string> => (await this.#steering.beside(file)).toString("utf8");
    const manifest = manifestIn(await text(beside.manifest));
    if (manifest === undefined)
      throw fail("FLEET_STEERING", "the manifest is of a form that is not known here", { file: beside.manifest.path });
    return toldBy(manifest, beside.account === null ? undefined : accountIn(await text(beside.account)));
  }

  async #put({ sha256, custom }: VerifiedPatch, told: Told): Promise<void> {
    const { name, kernel, counter, proof, beside } = custom;
    const row = {
      sha256,
      name,
      release: kernel.release,
      build_id: kernel.buildId,
      counter,
      proven: proof.proven,
      base_version: told.baseVersion,
      target_version: told.targetVersion,
      target_release: told.targetRelease,
      listed: true,
      withdrawn: false,
      account: beside.account === null ? null : JSON.stringify(beside.account),
      review: beside.review === null ? null : JSON.stringify(beside.review),
    };
    await this.#sql.begin(async (within) => {
      // Of several servers one writes it.
      await within`select pg_advisory_xact_lock(${LEARN_LOCK})`;
      const put = await within`insert into livepatch ${within.columns(row)} on conflict do nothing`;
      if (put.count === 0) return;
      await putCves(within, sha256, told);
      await audit(within, { who: ITSELF, what: "livepatch published", about: sha256, detail: { name, release: kernel.release, counter } });
    });
  }
}

async function putCves(within: Within, livepatch: string, { cves }: Told): Promise<void> {
  const rows = JSON.stringify(cves.map(({ fixedIn, ...more }) => ({ ...more, fixed_in: fixedIn, title: more.title ?? "" })));
  await within`
    insert into livepatch_cve (livepatch, cve, state, why, code, mend, fixed_in)
    select ${livepatch}, cve, state, why, code, mend, fixed_in
    from jsonb_to_recordset(${rows}::text::jsonb) as r (cve text, state text, why text, code text, mend text, fixed_in text)`;
  await within`
    insert into cve (id, title) select cve, title from jsonb_to_recordset(${rows}::text::jsonb) as r (cve text, title text) order by cve
    on conflict (id) do update set title = excluded.title where cve.title = '' and excluded.title <> ''`;
}
