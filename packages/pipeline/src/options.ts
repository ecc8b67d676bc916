/** What a livepatch is to be made of, and how. */
import type { AuthoredSource } from "@suture/authored";
import type { State } from "@suture/livepatch";
import type { Manifest } from "@suture/protocol";
import type { SourcePatch } from "./patch/read.ts";
import type { Decision } from "./run/decisions.ts";

/** What an older livepatch was made of. */
export interface Predecessor {
  /** File name without folders. */
  file: string;
  sha256: string;
  kernel: Manifest["kernel"];
  patches: SourcePatch[];
  sources: AuthoredSource[];
  rebuild: string[];
  acceptLayouts: string[];
  acceptInits: string[];
  acceptData: string[];
  shadows: string[];
  holes: string[];
  redirects: string[];
  states: NonNullable<Manifest["states"]>;
  /** Its patch is what a newer release has (docs/catch-up.md): what it carries of it. */
  carried?: Carried | undefined;
  /** Of such a one: what it says of the release and of CVEs. */
  level?: Pick<Manifest, "catchUp" | "account"> | undefined;
}

/** Of a catch-up, by names that mean the same in the next one. */
export interface Carried {
  /** OWNER:FUNCTION */
  functions: string[];
  /** Subjects of commits; of packages none, as their pieces differ from release to release. */
  commits: string[];
  cves: string[];
  /** What it does by somebody's word, as that names it. */
  words: string[];
}

/** For those who look at a run. */
export interface Looks {
  /** Is given each affected object as it was compiled, before anything is decided of it. */
  observe?: ((object: { object: string; original: Uint8Array; patched: Uint8Array }) => void | Promise<void>) | undefined;
  /** Is given what was decided of each object, and the object file of what the livepatch takes of it. */
  decided?:
    | ((object: { object: string; decisions: readonly Decision[]; delta: (() => Uint8Array) | undefined }) => void | Promise<void>)
    | undefined;
}

export interface BuildOptions extends Looks {
  /** Applied in this order. */
  patches: readonly SourcePatch[];
  /** C files that were written by hand, besides the patches or instead. */
  sources?: readonly AuthoredSource[] | undefined;
  /** The livepatch that this one takes the place of: all that it was made of is part of this one too. */
  predecessor?: Predecessor | undefined;
  /** What the livepatch does to the system, besides what its sources say. */
  states?: readonly State[] | undefined;
  /** Objects and functions that are replaced by themselves: `OBJECT`, `OBJECT:FUNCTION` or `FUNCTION`. */
  rebuild?: readonly string[] | undefined;
  /** Of the module, without `livepatch-`; made out of the first patch's file name unless given. */
  name?: string | undefined;
  /** Whether loading it takes all other livepatches out. */
  replace: boolean;
  /** Build although an object is not proven to be what the kernel runs. */
  unproven: boolean;
  /** Types, variables, enumerators and macros that may be otherwise than before: somebody knows that the new code meets nothing that the old one made. */
  acceptLayouts?: readonly string[] | undefined;
  /** Functions that run only at boot, or when their module is loaded or goes: somebody knows that nothing carried depends on what changed in them. */
  acceptInits?: readonly string[] | undefined;
  /** Variables whose values may be changed in the running kernel: somebody knows that nothing has gone by the old ones. */
  acceptData?: readonly string[] | undefined;
  /** New members, TYPE.MEMBER each or `all`, that lie beside the objects of their structures: somebody knows that 0 is right for objects that were there before. */
  shadows?: readonly string[] | undefined;
  /** New members, TYPE.MEMBER each or `all`, that lie in padding: somebody knows that 0 is right for objects that were there before, and what stays there when the livepatch goes when it comes again. */
  holes?: readonly string[] | undefined;
  /** Functions without an ftrace entry that a probe of the kernel may redirect: somebody knows that each call may move over by itself, at the cost of a trap. */
  redirects?: readonly string[] | undefined;
  /** Nothing of the running kernel is changed but which functions are called: docs/means.md. */
  plain?: boolean | undefined;
  /** Compilers at a time; as many as there are processors unless given. */
  jobs?: number | undefined;
}
