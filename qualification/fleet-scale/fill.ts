/** A large fleet as rows: what the server would have of it when all have come and reported. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { type HostReportState, type ReportBody, reportText, type SignedReport } from "@suture/protocol";
import type { Sql } from "../../apps/fleet/src/database/sql.ts";
import { sweepQuiet } from "../../apps/fleet/src/hosts/quiet.ts";
import { STATE } from "../../apps/fleet/test/machine.ts";

const KERNELS = 12;
const LIVEPATCHES = 3;
const CVES = 400;
const BLOCK = 50_000;
/** DER before the 32 bytes of an ed25519 key that is secret. */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

const hex = (text: string, digits: number): string => createHash("sha256").update(text).digest("hex").slice(0, digits);
export const hostId = (n: number): string => hex(`host ${n}`, 32);
const buildId = (kernel: number): string => hex(`build ${kernel}`, 40);
const livepatchOf = (kernel: number, n: number): string => hex(`livepatch ${kernel} ${n}`, 64);

/** One that reports: its key is made of its number. */
export class Reporter {
  readonly n: number;
  readonly #key: KeyObject;
  readonly publicKey: string;
  #counter = 1;

  constructor(n: number) {
    this.n = n;
    const seed = createHash("sha256").update(`key ${n}`).digest();
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
    this.publicKey = createPublicKey(this.#key).export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
  }

  /** @param whole something is other than before; else a beat */
  report(whole: boolean): SignedReport {
    const state = stateOf(this.n);
    this.#counter += 1;
    const body: ReportBody = {
      "suture-report": 1,
      host: hostId(this.n),
      counter: this.#counter,
      at: new Date().toISOString(),
      bootId: "a boot",
      digest: digestOf(state),
      ...(whole ? { state } : {}),
    };
    const text = JSON.stringify(body);
    return { host: body.host, body: text, signature: sign(undefined, Buffer.from(reportText(text)), this.#key).toString("hex") };
  }
}

const digestOf = (state: HostReportState): string => hex(JSON.stringify(state), 64);

function stateOf(n: number): HostReportState {
  const kernel = n % KERNELS;
  const which = n % (LIVEPATCHES + 1);
  const livepatches = which === 0 ? [] : [{ name: `catch_up_${which}`, sha256: livepatchOf(kernel, which), inEffect: true, kept: true }];
  return { ...STATE, release: releaseOf(kernel), buildId: buildId(kernel), version: versionOf(kernel), livepatches, counter: which };
}

const releaseOf = (kernel: number): string => `6.1.0-${kernel + 10}-amd64`;
const versionOf = (kernel: number): string => `6.1.${kernel + 10}-1`;

/** @param count machines; the first `reporting` of them have keys. @param token of which all are. @returns those that report */
export async function fill(sql: Sql, count: number, reporting: number, token: string): Promise<Reporter[]> {
  const reporters: Reporter[] = [];
  await livepatches(sql);
  for (let from = 0; from < count; from += BLOCK) {
    const rows: object[] = [];
    for (let n = from; n < Math.min(count, from + BLOCK); n++) {
      const reporter = n < reporting ? new Reporter(n) : undefined;
      if (reporter !== undefined) reporters.push(reporter);
      rows.push({ id: hostId(n), n, key: reporter?.publicKey ?? hex(`no key ${n}`, 64) });
    }
    await sql`
      insert into host (id, name, machine_id, public_key, state, labels, token, heard)
      select id, 'machine-' || lpad(n::text, 7, '0'), md5('machine ' || n), key, 'approved', array['site-' || n % 50], ${token}, true
      from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as r (id text, n integer, key text)`;
  }
  // Its level, kernel and report by its number alone: so many kinds there are.
  const kinds = Array.from({ length: KERNELS * (LIVEPATCHES + 1) }, (_, n) => {
    const state = stateOf(n);
    const level = hex(`level ${state.release} ${state.livepatches[0]?.sha256 ?? ""}`, 32);
    return {
      n,
      state,
      level,
      digest: digestOf(state),
      release: state.release,
      build_id: state.buildId,
      version: state.version,
      accepted: state.counter,
    };
  });
  const text = JSON.stringify(kinds);
  await sql`
    insert into level (id, release, build_id, version, livepatches)
    select distinct on (level) level, release, build_id, version, array(select p->>'sha256' from jsonb_array_elements(state->'livepatches') p)
    from jsonb_to_recordset(${text}::text::jsonb) as k (n integer, state jsonb, level text, release text, build_id text, version text) order by level`;
  for (let from = 0; from < count; from += BLOCK)
    await sql`
      insert into host_state (host, counter, seen_at, boot_id, clock_offset, digest, release, build_id, channel, accepted, status, level, report)
      select h.id, 1, now() - make_interval(secs => (h.n % 3600) * 7919 % 3600) - case when h.n % 100 = 3 then interval '1 day' else interval '0' end, 'a boot', 0, k.digest,
        k.release, k.build_id, 'stable', k.accepted, case h.n % 200 when 1 then 'trouble' when 2 then 'reboot wanted' else 'well' end, k.level, k.state
      from (select id, right(name, 7)::integer as n from host where name >= ${nameOf(from)} and name < ${nameOf(from + BLOCK)}) h
      join jsonb_to_recordset(${text}::text::jsonb) as k (n integer, state jsonb, digest text, level text, release text, build_id text, accepted integer)
        on k.n = h.n % ${kinds.length}`;
  // What machines have been through: two entries each.
  for (let from = 0; from < count; from += BLOCK)
    await sql`
      insert into host_event (host, at, what, detail)
      select id, now() - make_interval(hours => e * 100), case e when 1 then 'booted' else 'in effect' end, 'catch_up_' || e
      from host cross join generate_series(1, 2) e where name >= ${nameOf(from)} and name < ${nameOf(from + BLOCK)}`;
  await sweepQuiet(sql);
  await rollout(sql, count);
  for (const table of ["host", "host_state", "host_event", "level", "rollout_host", "livepatch_cve"])
    await sql.script(`vacuum analyze ${table}`);
  return reporters;
}

const nameOf = (n: number): string => `machine-${String(n).padStart(7, "0")}`;

async function livepatches(sql: Sql): Promise<void> {
  for (let kernel = 0; kernel < KERNELS; kernel++)
    for (let n = 1; n <= LIVEPATCHES; n++)
      await sql`
        insert into livepatch (sha256, name, release, build_id, counter, proven, base_version, target_version, target_release, listed, withdrawn)
        values (${livepatchOf(kernel, n)}, ${`catch_up_${n}`}, ${releaseOf(kernel)}, ${buildId(kernel)}, ${n}, true, ${versionOf(kernel)}, ${`6.1.${100 + n}-1`},
          ${`6.1.0-${100 + n}-amd64`}, true, false)`;
  await sql`insert into cve (id, title) select 'CVE-2026-' || 10000 + c, 'a fix' from generate_series(1, ${CVES}) c`;
  await sql`
    insert into livepatch_cve (livepatch, cve, state, why, first_in, fixed_in, own)
    select l.sha256, 'CVE-2026-' || 10000 + c, case c % 5 when 0 then 'left out' else 'carried' end, 'as it is said', '6.1.100-1', '6.1.101-1', false
    from livepatch l cross join generate_series(1, ${CVES}) c where c % ${LIVEPATCHES} < l.counter`;
}

/** One that half of the machines have taken, a hundredth of them to no good. */
async function rollout(sql: Sql, count: number): Promise<void> {
  const plan = { id: "large", livepatch: livepatchOf(0, 1), stages: [{ name: "all", percent: 100 }] };
  await sql`
    insert into rollout (id, plan, livepatch, release, build_id, counter, channel, salt, phase, why, stage, stage_since, made_by, eligible)
    values ('large', ${JSON.stringify(plan)}::text::jsonb, ${plan.livepatch}, ${releaseOf(0)}, ${buildId(0)}, 1, 'stable', 'salt', 'rolling', 'it rolls', 0,
      now() - interval '2 hours', 'the run', ${count})`;
  await sql`
    insert into rollout_host (rollout, host, attempt, stage, outcome, why)
    select 'large', host, 1, 0, case when right(host, 2) = '00' then 'failed' else 'succeeded' end, '' from host_state where right(host, 1) < '8'`;
}
