/** What an edit is, and what a kind of edits says of all of its edits. */
import type { BuildOptions } from "@suture/pipeline";
import type { CFile } from "./c-file.ts";
import type { Facts } from "./facts.ts";
import type { Random } from "./random.ts";

/**
 * What is right for every edit of a kind.
 * build: a module. refuse: no module. either: a refusal, or a module of which all claims hold. same: the meaning does not change, so that
 * "nothing changed" is right, and a module is.
 */
export type Verdict = "build" | "refuse" | "either" | "same";

/** What must be seen in the module, whatever the builder thinks. */
export type Claim =
  /** The state `was`, of the original object, is not doubled: what carried code uses by the name `is` is the kernel's. */
  | { claim: "kernels"; was: string; is: string }
  /** The livepatch has it itself. */
  | { claim: "own"; name: string }
  /** Code of the module refers to this symbol of the kernel. */
  | { claim: "refers"; symbol: string }
  /** The kernel's function of that name is replaced; in the second form as far as the compiled object has the function and it differs. */
  | { claim: "replaces"; name: string }
  /** The kernel's variable is changed where it stands, or the livepatch has its own of constants that only it uses. */
  | { claim: "changes"; symbol: string }
  /** A probe redirects the kernel's function. */
  | { claim: "redirects"; name: string }
  | { claim: "replacesIfDiffers"; name: string };

/** What is done by somebody's word only (docs/means.md). */
export type Word = Pick<BuildOptions, "acceptData" | "shadows" | "redirects">;

export interface FileEdit {
  path: string;
  before: string;
  after: string;
}

export interface Edit {
  /** For a person: what was done to what. */
  what: string;
  files: FileEdit[];
  claims: Claim[];
  /** Variables that the edit means to be new: all other state in the module has to be the kernel's. */
  news: string[];
  word?: Word;
}

/** A C file that the kernel is built from, to make edits of. */
export interface Subject {
  path: string;
  object: string;
  /** "vmlinux", or a module. */
  owner: string;
  file: CFile;
  facts: Facts;
  random: Random;
  tree: Tree;
}

/** What else there is beside a file. */
export interface Tree {
  /** C files of the same folder that are linked into the same, with what is in them. */
  siblings(path: string): { path: string; text: string }[];
  /** Headers of the same folder that the file includes, and the number of C files of the folder that do. */
  localHeaders(path: string): { path: string; text: string; users: string[] }[];
  /** Whether a header that the file may include, or the file itself beside the definition, declares it. */
  isDeclared(path: string, name: string): boolean;
  /** Whether the kernel has exactly one symbol of that name, and which letter of nm it has. */
  kernelSymbol(name: string): string | undefined;
  /** Weak functions that the kernel runs: with what their definition begins. */
  weak: readonly { name: string; head: string; returns: string }[];
  /** Global functions of the kernel with their heads, of other files. */
  globals: readonly { name: string; head: string; returns: string; path: string }[];
}

export interface Kind {
  name: string;
  family: string;
  verdict: Verdict;
  /** Of a refusal that is right; any, unless they are named. */
  codes?: readonly string[];
  /** Its module stays in memory when it is out of effect. */
  stays?: boolean;
  /** Behaves as before, so that a workload must see no difference. */
  tame: boolean;
  make(subject: Subject): Edit | undefined;
}
