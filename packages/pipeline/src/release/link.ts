/** The livepatch of a choice of units, and the report of all. */
import { sha256 } from "@suture/files";
import type { KernelContext } from "@suture/kbuild";
import { combine } from "@suture/livepatch";
import { type AccountSummary, type CatchUpReport, type Manifest, writeReport } from "@suture/protocol";
import type { Task } from "@suture/task";
import { type Hole, holeNotes } from "../hole/carry.ts";
import { type Livepatch, linkLivepatch } from "../link/livepatch.ts";
import { partsOfMeans, statesOf } from "../link/means.ts";
import { manifestOf } from "../manifest.ts";
import { patchName } from "../name.ts";
import type { BuildOptions, Predecessor } from "../options.ts";
import { parseSourcePatch } from "../patch/read.ts";
import { lostOf, withPredecessor } from "../predecessor.ts";
import type { Finished } from "./release-objects.ts";
import { summaryOf } from "./report.ts";

export interface LinkOptions {
  name: string;
  /** All that is in, as a patch of the kernel's source. */
  patchText: string;
  /** A catch-up, without what the newer release has of it already. */
  predecessor: Predecessor | undefined;
  /** New members that lie in padding. */
  holes: readonly Hole[];
  acceptLayouts: readonly string[];
  acceptInits: readonly string[];
  plain: boolean;
  unproven: boolean;
  /** Where each CVE stands, by what became of the units, for the manifest. */
  account: ((report: CatchUpReport) => Promise<AccountSummary>) | undefined;
}

/** @returns undefined where nothing can be carried */
export async function linkRelease(
  task: Task,
  kernel: KernelContext,
  { parts, records }: Finished,
  report: CatchUpReport,
  options: LinkOptions,
): Promise<Livepatch | undefined> {
  const carrying = parts.filter(({ delta }) => delta.object !== undefined);
  if (!carrying.some(({ delta }) => delta.functions.length + delta.callbacks.length + delta.live.length + delta.redirects.length > 0))
    return undefined;
  const name = patchName(options.name, [], []);
  const patch = await parseSourcePatch(Buffer.from(options.patchText, "latin1"), `${name}.patch`);
  const { predecessor, holes, unproven, acceptLayouts, acceptInits, plain } = options;
  const given: BuildOptions = {
    patches: [patch],
    predecessor,
    name,
    replace: true,
    unproven,
    acceptLayouts,
    acceptInits,
    plain,
  };
  const built = withPredecessor(given, kernel);
  const account = await options.account?.(report);
  return task.stage("link", async (stage) => {
    stage.note("joining what changed");
    const own = holes.map(({ state }) => ({ id: state, version: 1 }));
    const states = statesOf([...(built.states ?? []), ...own], parts);
    const all = [...(await partsOfMeans(task, kernel, { compared: parts }, name)), ...parts];
    const combined = combine(all, { name, replace: true, states, symbolSources: kernel.symbolSources, btf: kernel.btf });
    const draft = await manifestOf(kernel, built, name, {
      parts,
      objects: records,
      notes: holeNotes(holes),
      members: [],
      membersSource: "",
      holes,
      combined,
      authored: undefined,
      states,
    });
    stage.note("ld, modpost, and a look at every relocation");
    const catchUp = summaryOf(report, sha256(writeReport(report)));
    const livepatch = await linkLivepatch(task, kernel, combined.object, {
      ...draft,
      catchUp,
      ...(account === undefined ? {} : { account }),
    });
    if (predecessor !== undefined) tellLost(task, predecessor, livepatch.manifest);
    stage.result(`${livepatch.file}, ${livepatch.bytes.length} bytes`);
    return livepatch;
  });
}

/** More are counted. */
const LOST_SHOWN = 20;

function tellLost(task: Task, predecessor: Predecessor, manifest: Manifest): void {
  const { words, ...lost } = lostOf(predecessor, manifest);
  if (words.length > 0)
    task.reporter.warn(
      `${predecessor.file} does what it does to ${words.join(", ")} by somebody's word, and this livepatch does not: the kernel does not let it take its place. Give your word anew (--accept-data, --redirect, --hole), or take the older one out first`,
    );
  for (const [what, names] of Object.entries(lost))
    if (names.length > 0)
      task.reporter.warn(
        `${predecessor.file} has ${what} that this livepatch does not have: ${names.slice(0, LOST_SHOWN).join(", ")}${
          names.length > LOST_SHOWN ? ` and ${names.length - LOST_SHOWN} more` : ""
        }`,
      );
}
