/** What a livepatch says of CVEs: its signed account, else the short one in its signed manifest, and the fixes that its patches name. Pure. */
import { type Account, accountSchema, compareVersions, type FixState, isAccountOf, type Manifest, manifestSchema } from "@suture/protocol";
import * as v from "valibot";

export interface ToldCve {
  cve: string;
  state: FixState;
  why: string;
  code: string | null;
  mend: string | null;
  /** The package's versions whose changelogs name it: the oldest and the newest. */
  firstIn: string | null;
  fixedIn: string | null;
  /** Of a patch of the operator's own: no release is said to have it. */
  own: boolean;
  title: string | null;
}

export interface Told {
  baseVersion: string | null;
  targetVersion: string | null;
  targetRelease: string | null;
  /** Nothing was left out because somebody has asked for it (--take, --leave-out, --only). */
  whole: boolean;
  cves: ToldCve[];
}

const CVE = /^CVE-\d{4}-\d{4,7}$/;

/** @returns undefined if it is none */
export function manifestIn(text: string): Manifest | undefined {
  return parsed(manifestSchema, text);
}

/** What `suture account` or `suture catch-up` printed. @returns undefined if it is none, or of a later form */
export function accountIn(text: string): Account | undefined {
  const of = parsed(v.object({ account: accountSchema }), text);
  return of === undefined ? parsed(accountSchema, text) : of.account;
}

function parsed<S extends v.GenericSchema<unknown, unknown>>(schema: S, text: string): v.InferOutput<S> | undefined {
  try {
    const checked = v.safeParse(schema, JSON.parse(text, keepable), { abortEarly: true });
    return checked.success ? checked.output : undefined;
  } catch {
    return undefined;
  }
}

/** As the database can hold it. */
function keepable(_key: string, value: unknown): unknown {
  return typeof value === "string" ? Buffer.from(value.replaceAll("\0", "")).toString() : value;
}

/** @param beside the account that lies beside it: it may be another livepatch's */
export function toldBy(manifest: Manifest, beside: Account | undefined): Told {
  const { catchUp } = manifest;
  const account = beside !== undefined && isAccountOf(manifest, beside) ? beside : undefined;
  const all = new Map(inShort(manifest).map((told) => [told.cve, told]));
  // What the module says that it does not carry it does not, whatever else is said.
  const leftOut = new Set(manifest.account?.leftOut.map(({ id }) => id));
  for (const told of account === undefined ? [] : inFull(account)) {
    const short = all.get(told.cve);
    const isMore = short !== undefined && leftOut.has(told.cve) && told.state !== "left out";
    all.set(told.cve, isMore ? { ...told, state: short.state, why: short.why, code: short.code } : told);
  }
  // Fixes that were built from patches of their own.
  for (const { cves, mentioned, subject } of manifest.fixes) {
    const title = subject ?? null;
    // In one of before it was looked at all are only named.
    for (const cve of mentioned === undefined ? [] : cves) {
      const before = all.get(cve);
      if (before !== undefined && before.state !== "left out" && before.state !== "unknown") continue;
      all.set(cve, {
        ...(before ?? nothing(cve)),
        own: before?.own ?? true,
        title: before?.title ?? title,
        state: "carried",
        why: "",
        code: null,
        mend: null,
      });
    }
    for (const cve of mentioned ?? cves)
      if (!all.has(cve))
        all.set(cve, {
          ...nothing(cve),
          own: true,
          title,
          state: "unknown",
          why: "a patch mentions it, and does not say that it fixes it",
        });
  }
  return {
    baseVersion: catchUp?.base.version ?? null,
    targetVersion: catchUp?.target.version ?? null,
    targetRelease: catchUp?.target.release ?? null,
    whole: catchUp?.units.some(({ code }) => code === "CATCHUP_ASKED") !== true,
    cves: [...all.values()].filter(({ cve }) => CVE.test(cve)),
  };
}

const nothing = (cve: string): Omit<ToldCve, "state"> => ({
  cve,
  why: "",
  code: null,
  mend: null,
  firstIn: null,
  fixedIn: null,
  own: false,
  title: null,
});

function inFull({ cves, fixes }: Account): ToldCve[] {
  const versions = new Map<string, string[]>();
  for (const { version, cves: ids } of fixes) for (const id of ids) versions.set(id, [...(versions.get(id) ?? []), version]);
  return cves.map(({ id, state, why, code, mend, title }) => {
    const named = (versions.get(id) ?? []).sort(compareVersions);
    const [firstIn = null] = named;
    return { cve: id, state, why, code: code ?? null, mend: mend ?? null, firstIn, fixedIn: named.at(-1) ?? null, own: false, title };
  });
}

function inShort({ account }: Manifest): ToldCve[] {
  if (account === undefined) return [];
  const list = (ids: readonly string[], state: FixState): ToldCve[] => ids.map((cve) => ({ ...nothing(cve), state }));
  return [
    ...list(account.carried, "carried"),
    ...list(account.notBuilt, "not built"),
    ...list(account.noNeed, "no need"),
    ...list(account.inKernel, "in the kernel"),
    ...list(account.unknown, "unknown"),
    ...account.leftOut.map(({ id, partly, code, symbol }): ToldCve => {
      const why = `${partly ? "only a part of it can be carried" : "it cannot be carried"}${symbol === undefined ? "" : `: ${symbol}`}`;
      return { ...nothing(id), state: "left out", why, code: code ?? null };
    }),
  ];
}
