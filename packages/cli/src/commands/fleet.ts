/** The fleet's server, as its people use it. */
import type { AddCommand } from "../answer.ts";
import { build, buildSteps, builds, keepReady } from "./fleet/builds.ts";
import { cve } from "./fleet/cve.ts";
import { login } from "./fleet/login.ts";
import { audit, host, hosts, rollouts } from "./fleet/look.ts";
import { approve, plan, skip, steps } from "./fleet/steps.ts";

export const fleetCommand: AddCommand = (program, run) => {
  const fleet = program.command("fleet").description("the server of a fleet: its machines, and how far a livepatch goes");
  for (const word of [login, hosts, host, cve, rollouts, plan, approve, ...steps, skip, builds, build, ...buildSteps, keepReady, audit])
    word(fleet, run);
};
