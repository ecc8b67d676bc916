/** What the module says of itself: what it is made of, for which kernel, what is proven, and what it replaces. */

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Authored } from "@suture/authored";
import { sha256 } from "@suture/files";
import { type KernelContext, objectDigest } from "@suture/kbuild";
import type { Combined, State } from "@suture/livepatch";
import type { DraftManifest } from "@suture/protocol";
import type { Hole } from "./hole/carry.ts";
import type { BuildOptions } from "./options.ts";
import type { PatchNote } from "./patch/apply.ts";
import { madeOf } from "./predecessor.ts";
import { nameOf } from "./run/live.ts";
import { type Compared, type ObjectRecord, recordOf } from "./run/patch-run.ts";
import type { CarriedMember } from "./shadow/carry.ts";
import { nameOf as memberName } from "./shadow/members.ts";

/** What the pipeline made of the patches. */
export interface Results {
  parts: readonly Compared[];
  objects: readonly ObjectRecord[];
  /** What was left out of the patches, or went in elsewhere. */
  notes: readonly PatchNote[];
  /** That lie beside the objects of their structures. */
  members: readonly CarriedMember[];
  /** How the fix's source was written anew for them, as a diff. */
  membersSource: string;
  /** That lie in padding. */
  holes: readonly Hole[];
}

export async function manifestOf(
  kernel: KernelContext,
  options: BuildOptions,
  name: string,
  results: Results & { combined: Combined; authored: Authored | undefined; states: State[] },
): Promise<DraftManifest> {
  const { parts, combined, objects, authored, states } = results;
  const { sources = [], predecessor } = options;
  const live = parts.flatMap(({ object, owner, delta }) => delta.live.map((one) => ({ object, owner: owner.name, ...one })));
  const successors = parts.flatMap(({ object, owner, delta }) => delta.successors.map((one) => ({ object, owner: owner.name, ...one })));
  const stackTypes = parts.flatMap((part) => part.stackTypes);
  const redirects = parts.flatMap(({ object, owner, delta }) =>
    delta.redirects.map(({ global: _, ...one }) => ({ object, owner: owner.name, ...one })),
  );
  const handed = parts.flatMap(({ object, delta }) => delta.handed.map((one) => ({ object, ...one })));
  const named = (authored?.originals ?? []).filter(({ command }) => !objects.some((other) => other.object === command.object));
  const proofs = [...objects.map(({ proof }) => proof), ...named.map(({ proof }) => recordOf(proof))];
  const symbols = [...combined.symbols, ...(authored?.references ?? [])].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  const shadows = authored?.shadows ?? [];
  const doubts = proofs.flatMap(({ doubt }) => doubt ?? []);
  return {
    suture: 1,
    name,
    kernel: { release: kernel.image.release, buildId: kernel.image.buildId },
    proof: {
      proven: doubts.length === 0,
      functions: proofs.reduce((sum, proof) => sum + proof.functions, 0),
      ...(doubts.length === 0 ? {} : { reason: doubts.join("; ") }),
    },
    replace: options.replace,
    objects: [
      ...objects.map(({ object, owner, original, patched }) => ({ path: object, owner, original, patched })),
      ...named.map(({ command, bytes }) => ({
        path: command.object,
        owner: command.owner,
        original: objectDigest(bytes, command.object),
        patched: authored?.sha256 ?? "",
      })),
    ],
    functions: combined.functions,
    ...modulesOf(kernel, combined, [...live, ...redirects]),
    ...(combined.callbacks.length === 0 ? {} : { callbacks: combined.callbacks }),
    ...(states.length === 0 ? {} : { states }),
    ...(shadows.length === 0 ? {} : { shadows }),
    ...(results.members.length === 0 ? {} : { members: [...results.members], membersSource: results.membersSource }),
    ...(results.holes.length === 0 ? {} : { holes: [...results.holes] }),
    ...(successors.length === 0 ? {} : { successors }),
    ...(stackTypes.length === 0 ? {} : { stackTypes }),
    ...(live.length === 0 ? {} : { live }),
    ...(redirects.length === 0 ? {} : { redirects }),
    added: parts.flatMap(({ object, delta }) => delta.added.map((added) => ({ object, ...added }))),
    skipped: parts.flatMap(({ object, delta }) => delta.skipped.map((skipped) => ({ object, ...skipped }))),
    ...(options.rebuild === undefined
      ? {}
      : { notTaken: parts.flatMap(({ object, notTaken }) => notTaken.map((left) => ({ object, ...left }))) }),
    notes: [
      ...results.notes,
      ...parts.flatMap(({ object, delta }) => delta.notes.map((text) => ({ object, text }))),
      ...(authored?.notes ?? []),
    ],
    ...(handed.length === 0 ? {} : { handed }),
    symbols: symbols.filter(({ symbol }, i) => symbols[i - 1]?.symbol !== symbol),
    compiler: kernel.compiler,
    inputs: [
      ...options.patches.map((patch) => ({ kind: "patch" as const, name: patch.name, sha256: sha256(patch.bytes) })),
      ...sources.map((source) => ({ kind: "source" as const, name: source.name, sha256: sha256(source.bytes) })),
      ...(predecessor === undefined ? [] : [{ kind: "livepatch" as const, name: predecessor.file, sha256: predecessor.sha256 }]),
      ...kernel.target.inputs,
      { kind: "image" as const, name: basename(kernel.target.image), sha256: kernel.image.sha256 },
      { kind: "config" as const, name: ".config", sha256: sha256(await readFile(kernel.target.config)) },
    ],
    fixes: options.patches.map(({ subject, cves, mentioned }) => ({ ...(subject === undefined ? {} : { subject }), cves, mentioned })),
    // Somebody's word is for what it was used for, by its whole name, and for no other variable of a later fix.
    made: madeOf({
      ...options,
      acceptData: [...new Set(live.map(({ object, variable }) => nameOf(object, variable)))],
      shadows: results.members.map(memberName),
      holes: results.holes.map(memberName),
      redirects: redirects.map((one) => nameOf(one.object, one.function)),
    }),
  };
}

function modulesOf(kernel: KernelContext, { functions }: Combined, others: readonly { owner: string }[]): Pick<DraftManifest, "modules"> {
  const names = [...new Set([...functions, ...others].map(({ owner }) => owner))].filter((owner) => owner !== "vmlinux").sort();
  return names.length === 0 ? {} : { modules: names.map((name) => kernel.moduleIdentity(name)) };
}
