/** One of the two builds of an object. */
import type { Cut } from "./items.ts";
import type { Entries } from "./tables.ts";
import type { Users } from "./users.ts";

export interface Side {
  cut: Cut;
  entries: Entries;
  users: Users;
  /** Functions that begin with the call that ftrace redirects count as having an ftrace entry. */
  tracerCalls: boolean;
}
