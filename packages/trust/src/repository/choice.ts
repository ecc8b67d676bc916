/**
 * Which of what is staged goes out now: as much as is signed by enough and holds together. A rotation that half of its holders have signed waits, and holds up
 * nothing that the keys of now have signed: a withdrawal least of all.
 */
import { fail } from "../errors.ts";
import type { ReadMetadata } from "../metadata/read.ts";
import { DELEGATORS, delegatorOf, type Requirement, requirementIn, signersOf, type Work } from "./work.ts";

type Root = ReadMetadata<"root">;
type Targets = ReadMetadata<"targets">;
type File = Root | Targets;

export interface Choice {
  root: Root;
  roles: Map<string, Targets>;
  /** Staged until now. */
  promoted: string[];
  /** Staged as before. */
  waiting: string[];
  /** Why that waits which is signed by enough. */
  notes: string[];
  /** Promoted, and not signed by the keys that it has from then on when what waits goes out. */
  again: string[];
}

interface Versions {
  staged: ReadonlyMap<string, File>;
  current: ReadonlyMap<string, File>;
}

const PARTS = ["policy", "withdrawal"] as const;

/** @throws TRUST_UNSIGNED, TRUST_REPOSITORY */
export async function choiceOf(work: Work): Promise<Choice> {
  const versions = await versionsIn(work);
  const { staged } = versions;
  const movable = DELEGATORS.filter((role) => staged.has(role));
  // The most at once first. That a withdrawal goes out counts for more than all else.
  const found = subsetsOf(movable).flatMap((moved) => fitting(versions, moved) ?? []);
  const worth = ({ roles }: Fitting): number =>
    (roles.get("withdrawal") === staged.get("withdrawal") ? staged.size + 1 : 0) +
    [...roles].filter(([role, file]) => staged.get(role) === file).length;
  const [best] = found.sort((a, b) => worth(b) - worth(a));
  if (best === undefined) throw fail("TRUST_UNSIGNED", lackIn(work, versions), { file: work.folder });
  const out = new Map<string, File>([["root", best.root], ...best.roles]);
  const promoted = [...staged].filter(([role, file]) => out.get(role) === file).map(([role]) => role);
  const waiting = [...staged.keys()].filter((role) => !promoted.includes(role));
  return {
    ...best,
    promoted,
    waiting,
    notes: waiting.flatMap((role) => whyWaiting(versions, role) ?? []),
    again: promoted.filter((role) => {
      const later = waiting.includes(delegatorOf(role)) ? requirementOf(staged, role) : undefined;
      return later !== undefined && !stands(staged.get(role), later, role);
    }),
  };
}

async function versionsIn(work: Work): Promise<Versions> {
  const staged = new Map<string, File>();
  const current = new Map<string, File>();
  const put = async (role: string): Promise<void> => {
    const read = async (which: "current" | "staged"): Promise<File | undefined> =>
      role === "root" ? work[which](role, "root") : work[which](role, "targets");
    const [now, next] = [await read("current"), await read("staged")];
    if (now !== undefined) current.set(role, now);
    if (next !== undefined) staged.set(role, next);
  };
  for (const role of [...DELEGATORS, ...PARTS]) await put(role);
  for (const role of new Set([current, staged].flatMap((all) => linesOf(all.get("patches") as Targets | undefined)))) await put(role);
  return { staged, current };
}

const linesOf = (patches: Targets | undefined): string[] => patches?.signed.delegations?.roles.map(({ name }) => name) ?? [];

function subsetsOf<T>([first, ...rest]: readonly T[]): T[][] {
  if (first === undefined) return [[]];
  const others = subsetsOf(rest);
  return [...others.map((some) => [first, ...some]), ...others];
}

const requirementOf = (among: ReadonlyMap<string, File>, role: string): Requirement | undefined => {
  const delegator = among.get(delegatorOf(role));
  return delegator === undefined ? undefined : requirementIn(delegator.signed, role);
};

function stands(file: File | undefined, requirement: Requirement | undefined, role: string): boolean {
  return file !== undefined && requirement !== undefined && signersOf(requirement, role, file).have.length >= requirement.threshold;
}

interface Fitting {
  root: Root;
  roles: Map<string, Targets>;
}

/** With these delegators as they are staged, and the others as they are. @returns undefined if what a machine would see is not signed throughout */
function fitting({ staged, current }: Versions, moved: readonly string[]): Fitting | undefined {
  const out = new Map<string, File>();
  const takes = (role: string, among: readonly (File | undefined)[]): boolean => {
    const found = among.find((file) => stands(file, requirementOf(out, role), role));
    if (found !== undefined) out.set(role, found);
    return found !== undefined;
  };
  const own = (role: string): File | undefined => (moved.includes(role) ? staged : current).get(role);
  const root = own("root");
  if (root === undefined) return undefined;
  out.set("root", root);
  const before = current.get("root");
  const isTrusted =
    stands(root, requirementOf(out, "root"), "root") && (before === undefined || stands(root, requirementOf(current, "root"), "root"));
  if (!isTrusted || !takes("targets", [own("targets")]) || !takes("patches", [own("patches")])) return undefined;
  const others = [...PARTS, ...linesOf(out.get("patches") as Targets)];
  if (!others.every((role) => takes(role, [staged.get(role), current.get(role)]))) return undefined;
  out.delete("root");
  return { root: root as Root, roles: out as Map<string, Targets> };
}

/** Of one that is signed by enough of those whose role it is now, or is to be. */
function whyWaiting({ staged, current }: Versions, role: string): string | undefined {
  const file = staged.get(role);
  const [now, later] = [requirementOf(current, role), requirementOf(staged, role)];
  const isSigned =
    role === "root"
      ? [now, later].every((one) => one === undefined || stands(file, one, role))
      : [now, later].some((one) => stands(file, one, role));
  if (!isSigned) return undefined;
  const lacking = [...new Set([...current.keys(), ...staged.keys()])].filter((other) => {
    if (delegatorOf(other) !== role || other === role) return false;
    const by = requirementOf(staged, other);
    return by !== undefined && ![staged.get(other), current.get(other)].some((one) => stands(one, by, other));
  });
  const first = lacking.length > 0 ? `${lacking.join(", ")} to be signed by the keys of then` : `${delegatorOf(role)}`;
  return `${role} is signed by enough, and waits for ${first}`;
}

/** Nothing at all can go out: the first that is to be signed. */
function lackIn(work: Work, { staged, current }: Versions): string {
  const newest = new Map([...current, ...staged]);
  for (const role of [...DELEGATORS, ...PARTS, ...newest.keys()]) {
    const requirement = requirementOf(newest, role);
    const file = newest.get(role);
    if (stands(file, requirement, role)) continue;
    if (file === undefined || requirement === undefined) return `${role} is not there`;
    const { have, open } = signersOf(requirement, role, file);
    return `${role} lacks ${requirement.threshold - have.length} signatures of ${open.map((id) => work.nameOf(id)).join(", ")}`;
  }
  return "its root is not signed by enough of those who held it before";
}
