/** One of the two builds of an object. */
import type { ItemizedObject } from "./items.ts";
import type { Referrers } from "./referrers.ts";
import type { Entries } from "./tables.ts";

export interface Side {
  itemized: ItemizedObject;
  entries: Entries;
  referrers: Referrers;
  /** Functions that begin with the call that ftrace redirects count as having an ftrace entry. */
  tracerCalls: boolean;
}
