/** What a person names, patch files, sources that were written by hand, an older livepatch, and a kernel → a livepatch. */

import { readSources } from "@suture/authored";
import { type BuildOptions, buildLivepatch, type Livepatch, type Looks, readPatch, readPredecessor } from "@suture/pipeline";
import type { Task } from "@suture/task";
import type { Command } from "commander";
import { type KernelOptions, openKernel } from "./kernel-option.ts";
import { type LookOptions, lookedAt } from "./looks.ts";

interface Named {
  patches: readonly string[];
  from?: readonly string[] | undefined;
  upon?: string | undefined;
}

/** What the builder would refuse, and a person who knows better lets through. */
export interface Accepted {
  acceptLayout?: string[];
  acceptInit?: string[];
  plain?: boolean;
}

export function addExplain(command: Command): Command {
  return command.option("--explain", "print what is decided of each function and variable, and why");
}

export function addAccepted(command: Command): Command {
  return command
    .option(
      "--accept-layout <name...>",
      "let these structures, variables, enumerators or macros be otherwise than before: you know that the new code meets nothing that the old made",
    )
    .option(
      "--accept-init <function...>",
      "leave these functions out, which run only at boot or when their module comes or goes: you know that nothing carried depends on what changed in them",
    )
    .option("--plain", "replace functions and do nothing else to the running kernel: no variable of it is changed (docs/means.md)");
}

export function addAcceptData(command: Command): Command {
  return command.option(
    "--accept-data <variable...>",
    "put the new values of these variables (VARIABLE or OBJECT:VARIABLE) into the running kernel, whatever they are: you know that none of its code has gone by the old ones (docs/means.md)",
  );
}

export function addShadow(command: Command): Command {
  return command.option(
    "--shadow <member...>",
    "keep these new members (TYPE.MEMBER, or all) beside the objects of their structures, which stay as they are: you know that 0 is right for objects that were there before (docs/means.md)",
  );
}

export function addHole(command: Command): Command {
  return command.option(
    "--hole <member...>",
    "put these new members (TYPE.MEMBER, or all) where their structures have padding: you know that 0 is right for objects that were there before, and what the livepatch leaves in them when it goes is right when it comes again (docs/means.md)",
  );
}

export function addRedirect(command: Command): Command {
  return command.option(
    "--redirect <function...>",
    "let a probe of the kernel send calls of these functions (FUNCTION or OBJECT:FUNCTION), which have no ftrace entry, to the new ones: you know that each call may move over by itself, and that a trap for each is no hindrance (docs/means.md)",
  );
}

export async function buildFor(
  task: Task,
  named: Named,
  of: KernelOptions & Accepted & { acceptData?: string[]; shadow?: string[]; hole?: string[]; redirect?: string[]; looks: LookOptions },
  options: Omit<
    BuildOptions,
    | keyof Looks
    | "patches"
    | "sources"
    | "predecessor"
    | "acceptLayouts"
    | "acceptInits"
    | "acceptData"
    | "shadows"
    | "holes"
    | "redirects"
    | "plain"
  >,
): Promise<Livepatch> {
  // A file that cannot be read should not cost the download of a kernel.
  const [patches, sources, predecessor] = await Promise.all([
    Promise.all(named.patches.map(readPatch)),
    readSources(named.from ?? []),
    named.upon === undefined ? undefined : readPredecessor(named.upon),
  ]);
  return lookedAt(task, of.looks, async (looks) => {
    const kernel = await openKernel(task, of);
    try {
      const {
        acceptLayout: acceptLayouts,
        acceptInit: acceptInits,
        acceptData,
        shadow: shadows,
        hole: holes,
        redirect: redirects,
        plain,
      } = of;
      const accepted = { acceptLayouts, acceptInits, acceptData, shadows, holes, redirects, plain };
      return await buildLivepatch(task, kernel, { ...options, ...looks, patches, sources, predecessor, ...accepted });
    } finally {
      kernel.close();
    }
  });
}
