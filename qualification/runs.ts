/** All runs, in the order in which `all` takes them: those that end soon come first. */
import { agentRun } from "./agent/run.ts";
import { authoring } from "./authoring/run.ts";
import { catchUpLife } from "./catch-up/run.ts";
import { corpus } from "./corpus/run.ts";
import { cycles } from "./cycles/run.ts";
import { debs } from "./debs/run.ts";
import { edits } from "./edits/edits.ts";
import { fleet } from "./fleet/run.ts";
import { fleetFaults } from "./fleet-faults/run.ts";
import { fleetPage } from "./fleet-page/run.ts";
import { fleetScale } from "./fleet-scale/run.ts";
import { fleetStory } from "./fleet-story/run.ts";
import { flips } from "./flips/run.ts";
import { follow } from "./follow/run.ts";
import { fresh } from "./fresh/run.ts";
import { headers } from "./headers/run.ts";
import { hostileReports } from "./hostile-reports/run.ts";
import { identity } from "./identity/run.ts";
import { metadata } from "./metadata/run.ts";
import { ownKernel } from "./own-kernel/run.ts";
import { powerCuts } from "./power-cuts/run.ts";
import { publishKills } from "./publish-kills/run.ts";
import type { Run } from "./run.ts";
import { same } from "./same/same.ts";
import { selftests } from "./selftests/run.ts";
import { simulatedFleet } from "./simulated-fleet/run.ts";

export const RUNS: readonly Run[] = [
  fleet,
  simulatedFleet,
  hostileReports,
  fleetFaults,
  fleetPage,
  fleetScale,
  same,
  flips,
  edits,
  headers,
  identity,
  corpus,
  authoring,
  catchUpLife,
  cycles,
  selftests,
  ownKernel,
  agentRun,
  follow,
  fleetStory,
  powerCuts,
  metadata,
  publishKills,
  debs,
  fresh,
];
