/** All runs, in the order in which `all` takes them: those that end soon come first. */
import type { Run } from "./run.ts";
import { same } from "./same/same.ts";

export const RUNS: readonly Run[] = [same];
