/** What several documents have in common. */
import * as v from "valibot";
import { maybe, said } from "../said.ts";

export const text = v.string();
export const number = v.number();
export const flag = v.boolean();
export const texts = v.array(text);
export const milliseconds = said(number, "milliseconds");
export const bytes = said(number, "bytes");
export const sha256 = said(text, "SHA-256, hexadecimal; empty where it is not known");
export const buildId = said(text, "GNU build-id, hexadecimal");
export const release = said(text, "of a kernel, as `uname -r` says it");
export const owner = said(text, "vmlinux, or a module");

export const where = v.strictObject({
  file: maybe(text),
  section: maybe(text),
  symbol: maybe(text),
  offset: maybe(said(number, "bytes: in the file or, if one is given, in the section or behind the symbol")),
});

export const refusal = v.strictObject({
  code: said(text, "of docs/errors.md"),
  why: said(text, "what was found"),
  where,
  mend: said(text, "what can be done"),
});

export const fixes = v.array(
  v.strictObject({
    subject: maybe(said(text, "of the patch")),
    cves: said(texts, "that the patch says it fixes"),
    mentioned: maybe(said(texts, "other CVEs that it names")),
  }),
);

export const straggler = v.strictObject({
  pid: number,
  tid: number,
  name: text,
  kernelThread: flag,
  stack: said(texts, "where it is in the kernel, the innermost function first; empty for one that runs"),
});

export const transition = v.strictObject({
  outcome: said(v.picklist(["done", "reversed", "forced"]), "how it ended"),
  ms: milliseconds,
  stragglers: said(v.array(straggler), "the tasks that held it up when the time was over"),
});

export const finding = v.strictObject({
  what: text,
  outcome: said(
    v.picklist(["good", "limited", "bad"]),
    "bad: it keeps livepatches from being built or loaded; limited: it takes something away",
  ),
  found: text,
  mend: said(text, "the command that mends it; empty where nothing is to be mended"),
});
