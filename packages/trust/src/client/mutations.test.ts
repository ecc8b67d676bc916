/**
 * Every file of a repository, changed in some way: it is refused with a code, or means what it meant. SUTURE_MUTATIONS=100000 makes as many
 * (`npm run qualify -- metadata`), under the seed of SUTURE_SEED.
 */
import { SutureError } from "@suture/errors";
import { sha256 } from "@suture/files";
import { Task } from "@suture/task";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MadeRepository, NOW } from "../../test/made-repository.ts";
import { canonicalBytes } from "../metadata/canonical.ts";
import { readWhole, type Whole } from "../repository/whole.ts";
import type { Source } from "../source/source.ts";

const COUNT = Number(process.env.SUTURE_MUTATIONS ?? 1000);

/** All that a machine goes by. */
function meaning({ roots, timestamp, snapshot, roles, patches, policy, withdrawals }: Whole, online: boolean): string {
  const all = [roots, [...roles], [...patches], policy, withdrawals, ...(online ? [timestamp, snapshot] : [])];
  return canonicalBytes(JSON.parse(JSON.stringify(all))).toString();
}

/** Who has stolen the keys of snapshot and timestamp names the changed file as if it were right. */
function renamed(repository: MadeRepository, path: string, changed: Buffer): Map<string, Uint8Array> {
  const role = /^metadata\/\d+\.(.*)\.json$/.exec(path)?.[1] ?? "";
  repository.snapshot((signed) => {
    signed.version = 1;
    const named = signed.meta[`${role}.json`];
    if (named !== undefined) Object.assign(named, { length: changed.length, hashes: { sha256: sha256(changed) } });
  });
  repository.timestamp((signed) => {
    signed.version = 1;
  });
  return new Map([...repository.files, [path, changed]]);
}

/** Values that a thief of no key would try. */
const VALUES: readonly unknown[] = [
  0,
  -1,
  1,
  2,
  1e300,
  2 ** 53,
  0.5,
  "",
  "0",
  "__proto__",
  "a".repeat(1000),
  "2099-01-01T00:00:00Z",
  null,
  true,
  false,
  [],
  {},
  ["x"],
  { sha256: "0".repeat(64) },
  "\ud800",
  "é",
];

type Path = readonly (string | number)[];

function pathsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, member]) => pathsIn(member, [...path, name]))];
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, name) => (inner as Record<string | number, unknown>)[name], value);
}

/** What may be done to the text of a file. `pick` chooses, from 0 to below 1. */
function mutated(bytes: Uint8Array, how: number, pick: readonly number[]): Buffer {
  const [first = 0, second = 0, third = 0] = pick;
  const some = (length: number, chosen: number): number => Math.min(length - 1, Math.floor(chosen * length));
  const copy = Buffer.from(bytes);
  const place = some(copy.length, first);
  switch (how) {
    case 0:
      copy[place] = (copy[place] ?? 0) ^ (1 << some(8, second));
      return copy;
    case 1:
      return copy.subarray(0, place);
    case 2:
      return Buffer.concat([copy.subarray(0, place), Buffer.from([some(256, second)]), copy.subarray(place)]);
    case 3:
      return Buffer.concat([copy.subarray(0, place), copy.subarray(some(copy.length, second))]);
    default:
  }
  // A digit, a letter: the form stays right.
  if (how > 8) {
    const places = [...copy.keys()].filter((i) => /[0-9a-z]/.test(String.fromCharCode(copy[i] ?? 0)));
    const here = places[some(places.length, first)] ?? 0;
    const letter = String.fromCharCode(copy[here] ?? 0);
    const others = /\d/.test(letter) ? "0123456789" : "abcdef";
    copy.write(others[some(others.length, second)] ?? "0", here);
    return copy;
  }
  const value = JSON.parse(copy.toString()) as unknown;
  const paths = pathsIn(value).slice(1);
  const path = paths[some(paths.length, first)] ?? [];
  const parent = at(value, path.slice(0, -1)) as Record<string | number, unknown>;
  const name = path.at(-1) ?? "";
  // A copy: it may be around the place that it is put in.
  const other = structuredClone(at(value, paths[some(paths.length, second)] ?? []));
  if (how === 4) parent[name] = VALUES[some(VALUES.length, third)];
  else if (how === 5) parent[name] = other;
  else if (how === 6 && Array.isArray(parent)) parent.push(other);
  else if (how === 6) parent[`${String(name)}x`] = other;
  else if (Array.isArray(parent)) parent.splice(Number(name), 1);
  else delete parent[name];
  const text = JSON.stringify(value);
  // A member twice: one reader takes the first, another one the last.
  if (how === 8) return Buffer.from(text.replace('"signed":{', `"signed":{"version":${some(9, third)},`));
  return Buffer.from(text);
}

test(`of ${COUNT} changed files none is taken for another, and each that is refused has a code`, {
  timeout: 60_000 + COUNT * 300,
}, async () => {
  const repository = new MadeRepository();
  // The livepatch and its manifest are read by nobody here: fetchTarget holds them.
  const paths = [...repository.files.keys()].filter((path) => !path.startsWith("targets/patches/"));
  const root = repository.bytes("metadata/1.root.json");
  const task = new Task();
  const read = (files: ReadonlyMap<string, Uint8Array>): Promise<Whole> => {
    const source: Source = { name: "memory", read: async (_task, path) => files.get(path) };
    return readWhole(task, source, files.get("metadata/1.root.json") ?? root, NOW);
  };
  const whole = await read(repository.files);
  const meant = { all: meaning(whole, true), offline: meaning(whole, false) };
  const original = new Map(repository.files);
  const outcomes = new Map<string, number>();
  const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  await fc.assert(
    fc.asyncProperty(fc.nat(paths.length - 1), fc.nat(14), fc.tuple(part, part, part), fc.boolean(), async (file, how, pick, stolen) => {
      const path = paths[file] ?? "";
      const before = original.get(path) ?? root;
      const changed = mutated(before, how, pick);
      let outcome = "means the same";
      try {
        const files = stolen ? renamed(repository, path, changed) : new Map([...original, [path, changed]]);
        expect(meaning(await read(files), !stolen)).toBe(stolen ? meant.offline : meant.all);
      } catch (error) {
        if (!(error instanceof SutureError)) throw error;
        expect(error.code).toMatch(/^TRUST_/);
        outcome = error.code;
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }),
    { numRuns: COUNT, endOnFailure: true },
  );
  console.log(
    `${COUNT} mutations: ${[...outcomes]
      .sort()
      .map(([code, count]) => `${code} ${count}`)
      .join(", ")}`,
  );
  for (const code of ["TRUST_FORM", "TRUST_SIGNATURES", "TRUST_MISMATCH"]) expect(outcomes.get(code) ?? 0).toBeGreaterThan(0);
});
