/** Where a repository stands: what expires when, and who has not signed. */
import { DAYS, kindOf, SIGNED_ROLES, type SignedRole, signersOf, Work } from "./work.ts";

export interface RoleStatus {
  role: string;
  /** Undefined of one that has not been published yet. */
  version: number | undefined;
  expires: string | undefined;
  /** soon: a quarter of its time is left. */
  state: "good" | "soon" | "expired" | "unpublished";
  threshold: number;
  keys: string[];
  /** The next version, which is not published yet. */
  staged: { version: number; expires: string; signed: string[]; lacking: number; mayStillSign: string[] } | undefined;
}

export interface RepositoryStatus {
  fleet: string;
  roles: RoleStatus[];
}

export async function repositoryStatus(folder: string, now: Date): Promise<RepositoryStatus> {
  const work = await Work.open(folder);
  const { delegations } = await work.needed("patches", "targets");
  const roles: RoleStatus[] = [];
  for (const role of [...SIGNED_ROLES, ...(delegations?.roles.map(({ name }) => name) ?? [])]) {
    const current = await work.current(role);
    const staged = await work.staged(role);
    const requirements = await work.requirements(role);
    const signers =
      staged === undefined ? [] : requirements.map((requirement) => ({ ...signersOf(requirement, role, staged), requirement }));
    const last = requirements.at(-1);
    roles.push({
      role,
      version: current?.signed.version,
      expires: current?.signed.expires,
      state: current === undefined ? "unpublished" : stateOf(work, role, current.signed.expires, now),
      threshold: last?.threshold ?? 0,
      keys: (last?.keyids ?? []).map((id) => work.nameOf(id)),
      staged:
        staged === undefined
          ? undefined
          : {
              version: staged.signed.version,
              expires: staged.signed.expires,
              signed: names(
                work,
                signers.flatMap(({ have }) => have),
              ),
              lacking: Math.max(0, ...signers.map(({ have, requirement }) => requirement.threshold - have.length)),
              mayStillSign: names(
                work,
                signers.flatMap(({ have, open, requirement }) => (have.length >= requirement.threshold ? [] : open)),
              ),
            },
    });
  }
  return { fleet: work.settings.fleet, roles };
}

const names = (work: Work, ids: readonly string[]): string[] => [...new Set(ids)].map((id) => work.nameOf(id));

function stateOf(work: Work, role: string, expires: string, now: Date): RoleStatus["state"] {
  const days =
    work.settings.days[kindOf(role) === "targets" && role.startsWith("linux-") ? "patches" : (role as SignedRole)] ?? DAYS.patches;
  const left = new Date(expires).getTime() - now.getTime();
  return left <= 0 ? "expired" : left < (days * 86_400_000) / 4 ? "soon" : "good";
}
