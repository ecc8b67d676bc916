/** Who may do what: roles of people and programs. */
import { ROLES, type FleetRole as Role } from "@suture/protocol";

export { ROLES, type Role };

/** Who sees the fleet: all but programs that build for it. */
export const SEERS: readonly Role[] = ROLES.filter((role) => role !== "builder");

/** Somebody who asks, and is known. */
export interface Principal {
  /** As the audit names it. */
  name: string;
  roles: readonly Role[];
  /** Whose word it is, where it takes those of several people. */
  person: string;
  /** Of a person's session: with it comes what no other site can know. Undefined: a key says who asks. */
  csrf?: string;
}

/** Each role by itself; `admin` gives others their roles, and does not have them all. */
export const mayBe = (principal: Principal, roles: readonly Role[]): boolean => roles.some((role) => principal.roles.includes(role));
