/** What became of each change between the kernel that runs and a newer release, when a livepatch was made of them. */
import * as v from "valibot";
import { said } from "./said.ts";

const text = v.string();
const texts = v.array(text);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** What becomes of a unit. */
export const UNIT_STATES = ["carried", "not built", "no need", "left out", "in the kernel"] as const;
export type UnitState = (typeof UNIT_STATES)[number];

const STATE_MEANS =
  "carried: the livepatch has all of it; not built: this kernel is made of none of its files; no need: it changes no code that runs, or only code that has run; left out: it cannot be carried, or needs one that cannot; in the kernel: the source that the kernel was built of has it already";

const reason = v.object({
  code: said(text, "of docs/errors.md"),
  why: said(text, "what was found"),
  file: v.exactOptional(said(text, "the object or the source file")),
  symbol: v.exactOptional(said(text, "the function, variable or type")),
  mend: said(text, "what could be done"),
});

const fileOfUnit = v.object({
  path: text,
  built: said(v.boolean(), "this kernel is made of it, or of what includes it"),
  hunks: said(
    v.array(
      v.object({
        oldStart: said(count, "line of the older file, from 1"),
        oldCount: count,
        newStart: said(count, "line of the newer file"),
        newCount: count,
        heading: said(text, "the function or type that it is in, as far as the text shows; empty for none"),
      }),
    ),
    "without lines of context; none for a file of which this kernel is not made",
  ),
});

const unit = v.object({
  id: said(text, "the commit, or u and the first digits of a SHA-256 of what it changes: the same in every run"),
  title: said(text, "the commit's subject, or, of a piece of the difference of two source packages, made up of its files and functions"),
  commit: v.exactOptional(said(text, "its full id in git")),
  files: v.array(fileOfUnit),
  diff: said(text, "what it changes in the files that this kernel is made of, as a unified diff"),
  functions: said(
    v.array(v.object({ object: text, owner: text, name: text })),
    "of the kernel, that the livepatch replaces or redirects for it, and variables whose values it changes; of one that is left out, functions that its text changes, as far as it shows",
  ),
  state: said(v.picklist(UNIT_STATES), STATE_MEANS),
  reasons: said(v.array(reason), "of one that is left out: every refusal that was found; of one that needs nothing: what it is"),
  dependsOn: said(texts, "units without which it is not the same change"),
  leftWith: said(
    texts,
    "of one that is left out: the units on which it depends, or of which it may be the other half, that are left out too",
  ),
});

const kernel = v.object({
  release: v.exactOptional(said(text, "as `uname -r` says it")),
  version: v.exactOptional(said(text, "of its package")),
  buildId: v.exactOptional(text),
});

export const catchUpReportSchema = v.object({
  suture: said(v.literal(1), "the version of this form"),
  from: said(v.picklist(["packages", "git"]), "what the units were made of: the difference of two source packages, or commits"),
  base: said(kernel, "the kernel that the livepatch is for"),
  target: said(kernel, "the release whose level it brings; of commits, the last one's id is the version"),
  ranges: said(v.array(v.object({ folder: text, range: text, commits: count })), "of commits, where they were taken from"),
  only: v.picklist(["all", "cve"]),
  units: said(v.array(unit), "commits in their order; pieces of a difference by the path of their first file"),
});

export type CatchUpReport = v.InferOutput<typeof catchUpReportSchema>;
export type ReleaseUnit = CatchUpReport["units"][number];
export type UnitReason = ReleaseUnit["reasons"][number];

/** As it is written to a file; the manifest has the hash of this. */
export function writeReport(report: CatchUpReport): string {
  return `${JSON.stringify(report, undefined, 1)}\n`;
}

/** In the manifest: which unit is where, without what the report has besides. */
export const catchUpSummarySchema = v.object({
  from: catchUpReportSchema.entries.from,
  base: kernel,
  target: kernel,
  report: said(text, "SHA-256 of the report, as it was written"),
  units: v.array(
    v.object({
      id: text,
      title: text,
      state: v.picklist(UNIT_STATES),
      files: said(texts, "paths of those that this kernel is made of"),
      functions: said(texts, "that it replaces or redirects, OBJECT:FUNCTION, and variables whose values it changes"),
      code: v.exactOptional(said(text, "the first reason's")),
      symbol: v.exactOptional(text),
      leftWith: v.exactOptional(texts),
    }),
  ),
});

export type CatchUpSummary = v.InferOutput<typeof catchUpSummarySchema>;
