/** The manifest of a livepatch, as `build` and `inspect` print it. */
import * as v from "valibot";
import { maybe, said } from "./document.ts";
import { buildId, bytes, fixes, flag, number, owner, release, sha256, text, texts } from "./parts.ts";

const file = v.strictObject({ name: text, text });

export const manifest = v.strictObject({
  suture: said(v.literal(1), "the version of this form"),
  name: text,
  contents: said(text, "SHA-256 of all that the module holds besides the manifest"),
  kernel: v.strictObject({ release, buildId }),
  proof: said(
    v.strictObject({ proven: flag, functions: number, reason: maybe(text) }),
    "whether the originals of all patched objects were shown to be what the kernel runs",
  ),
  replace: said(flag, "loading it takes all other livepatches out"),
  objects: v.array(v.strictObject({ path: text, owner, original: sha256, patched: sha256 })),
  functions: said(
    v.array(v.strictObject({ object: text, owner, name: text, sympos: number, sizeBefore: bytes, size: bytes, why: text })),
    "functions that are replaced",
  ),
  modules: maybe(
    said(
      v.array(v.strictObject({ name: text, buildId: maybe(buildId), srcversion: maybe(text) })),
      "the builds of modules that it was proven against",
    ),
  ),
  callbacks: maybe(
    v.array(
      v.strictObject({ object: text, owner, kind: v.picklist(["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"]), name: text }),
    ),
  ),
  states: maybe(v.array(v.strictObject({ id: number, version: number }))),
  shadows: maybe(said(v.array(v.strictObject({ id: number, name: text, size: bytes })), "shadow variables that it declares")),
  added: v.array(v.strictObject({ object: text, name: text, kind: v.picklist(["function", "variable"]), size: bytes })),
  skipped: said(v.array(v.strictObject({ object: text, name: text, why: text })), "what differs, and has no effect at run time"),
  notTaken: maybe(
    said(
      v.array(v.strictObject({ object: text, name: text, code: text, why: text })),
      "functions that were to be replaced by themselves, and are not",
    ),
  ),
  notes: said(v.array(v.strictObject({ object: text, text })), "what a person should know of it"),
  handed: maybe(
    said(
      v.array(v.strictObject({ object: text, function: text, kind: v.picklist(["string", "function", "variable"]), name: text })),
      "what is in the module and its code gives to others",
    ),
  ),
  symbols: v.array(
    v.strictObject({
      name: text,
      how: said(v.picklist(["exported", "klp", "patch"]), "found by the module loader, by the livepatch core, or in the module itself"),
      object: maybe(text),
      sympos: maybe(number),
      symbol: said(text, "its name in the module"),
    }),
  ),
  compiler: text,
  inputs: v.array(
    v.strictObject({
      kind: v.picklist(["patch", "source", "livepatch", "package", "tree", "module", "image", "config"]),
      name: text,
      version: maybe(text),
      sha256,
    }),
  ),
  fixes,
  made: maybe(
    said(
      v.strictObject({
        patches: v.array(file),
        sources: v.array(v.strictObject({ name: text, text, beside: v.array(file) })),
        rebuild: texts,
        acceptLayouts: texts,
      }),
      "all that a person gave, so that the next livepatch can be made of the same and more",
    ),
  ),
});
