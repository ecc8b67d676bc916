/** What a livepatch says of CVEs: its signed account, else the short one in its signed manifest, and the fixes that its patches name. Pure. */
import { type Account, accountSchema, type FixState, type Manifest, manifestSchema } from "@suture/protocol";
import * as v from "valibot";

export interface ToldCve {
  cve: string;
  state: FixState;
  why: string;
  code: string | null;
  mend: string | null;
  /** The package's version whose changelog names it. */
  fixedIn: string | null;
  title: string | null;
}

export interface Told {
  baseVersion: string | null;
  targetVersion: string | null;
  targetRelease: string | null;
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

export function toldBy(manifest: Manifest, account: Account | undefined): Told {
  const { catchUp } = manifest;
  const base = account?.base ?? catchUp?.base;
  const target = account?.target ?? catchUp?.target;
  const all = new Map<string, ToldCve>();
  for (const told of account === undefined ? inShort(manifest) : inFull(account)) if (CVE.test(told.cve)) all.set(told.cve, told);
  // A fix that was built from a patch of its own.
  for (const { cves, subject } of manifest.fixes)
    for (const cve of cves) if (CVE.test(cve) && !all.has(cve)) all.set(cve, { ...nothing(cve), state: "carried", title: subject ?? null });
  return {
    baseVersion: base?.version ?? null,
    targetVersion: target?.version ?? null,
    targetRelease: target?.release ?? null,
    cves: [...all.values()],
  };
}

const nothing = (cve: string): Omit<ToldCve, "state"> => ({ cve, why: "", code: null, mend: null, fixedIn: null, title: null });

function inFull({ cves, fixes }: Account): ToldCve[] {
  const versions = new Map(fixes.flatMap(({ version, cves: ids }) => ids.map((id) => [id, version] as const)));
  return cves.map(({ id, state, why, code, mend, title }) => ({
    cve: id,
    state,
    why,
    code: code ?? null,
    mend: mend ?? null,
    fixedIn: versions.get(id) ?? null,
    title,
  }));
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
