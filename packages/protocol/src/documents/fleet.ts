/** Documents of `suture fleet`: what the fleet's server answers. */
import * as v from "valibot";
import { fleetBuildsSchema, fleetBuildWholeSchema } from "../fleet/builds.ts";
import { fleetHostSchema, fleetHostsSchema, fleetHostWholeSchema } from "../fleet/hosts.ts";
import { fleetCvesSchema, fleetCveWholeSchema } from "../fleet/knowledge.ts";
import { fleetAuditSchema, meSchema } from "../fleet/people.ts";
import { fleetRolloutsSchema } from "../fleet/rollouts.ts";
import { maybe, said } from "../said.ts";
import { documentKind } from "./document.ts";
import { flag, number, text } from "./parts.ts";

const { csrf: _, ...me } = meSchema.entries;

export const fleetLoginDocument = documentKind("fleet-login", 1, "`suture fleet login`: which server is asked from now on, and as whom.", {
  server: text,
  ...me,
});
export const fleetHostsDocument = documentKind("fleet-hosts", 1, "`suture fleet hosts`: machines by name, all pages.", {
  hosts: fleetHostsSchema.entries.hosts,
});
export const fleetHostDocument = documentKind(
  "fleet-host",
  1,
  "`suture fleet host`: a machine, and its history.",
  fleetHostWholeSchema.entries,
);
export const fleetRolloutsDocument = documentKind(
  "fleet-rollouts",
  1,
  "`suture fleet rollouts`: roll-outs, the newest first.",
  fleetRolloutsSchema.entries,
);
export const fleetStepDocument = documentKind(
  "fleet-step",
  1,
  "`suture fleet plan`, `approve`, `start`, `hold` and so on: what was done to a roll-out.",
  {
    rollout: text,
    step: text,
    published: maybe(said(flag, "the policy that says so is out; else it will be as soon as it can be")),
    needed: maybe(said(number, "approvals that are still needed")),
  },
);
export const fleetAuditDocument = documentKind("fleet-audit", 1, "`suture fleet audit`: who did what, the newest first.", {
  ...fleetAuditSchema.entries,
  broken: said(v.nullable(v.number()), "the first row that is not as it was written"),
});
export const fleetCvesDocument = documentKind("fleet-cves", 1, "`suture fleet cve`: CVEs, with how many machines are open to each.", {
  cves: fleetCvesSchema.entries.cves,
});
export const fleetCveDocument = documentKind(
  "fleet-cve",
  1,
  "`suture fleet cve ID`: a CVE, how it stands for each kernel with its livepatches, and the machines that are open to it.",
  { ...fleetCveWholeSchema.entries, hosts: said(v.array(fleetHostSchema), "that are open to it") },
);
export const fleetBuildsDocument = documentKind(
  "fleet-builds",
  1,
  "`suture fleet builds` and `keep-ready`: livepatches that are built, and what each kernel of the fleet wants.",
  fleetBuildsSchema.entries,
);
export const fleetBuildDocument = documentKind(
  "fleet-build",
  1,
  "`suture fleet builds ID`, `build`, `cancel-build` and `repeat-build`: a build, and what its builder printed.",
  fleetBuildWholeSchema.entries,
);
