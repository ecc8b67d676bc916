/** All commands by their words, in the order of the help. What one is made of takes longer to load than most take to run. */
import type { AddCommand } from "../answer.ts";
import { COMMANDS as MACHINE } from "./machine.ts";

export const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  kernels: async () => (await import("./kernels.ts")).kernelsCommand,
  build: async () => (await import("./build.ts")).buildCommand,
  "catch-up": async () => (await import("./catch-up.ts")).catchUpCommand,
  extract: async () => (await import("./extract.ts")).extractCommand,
  prove: async () => (await import("./prove.ts")).proveCommand,
  try: async () => (await import("./try.ts")).tryCommand,
  diff: async () => (await import("./diff.ts")).diffCommand,
  inspect: async () => (await import("./inspect.ts")).inspectCommand,
  review: async () => (await import("./review.ts")).reviewCommand,
  sign: async () => (await import("./sign.ts")).signCommand,
  account: async () => (await import("./account.ts")).accountCommand,
  ...MACHINE,
  doctor: async () => (await import("./doctor.ts")).doctorCommand,
  agent: async () => (await import("./agent.ts")).agentCommand,
  fleet: async () => (await import("./fleet.ts")).fleetCommand,
  repo: async () => (await import("./repo.ts")).repoCommand,
  completion: async () => (await import("./completion.ts")).completionCommand,
};
