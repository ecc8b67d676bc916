/** What a livepatch says of itself: it stands, as JSON, in the section `.suture` of the module. */
import * as v from "valibot";
import { accountSummarySchema } from "./account.ts";
import { CALLBACKS } from "./callbacks.ts";
import { catchUpSummarySchema } from "./catch-up.ts";
import { said } from "./said.ts";

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
/** Names become names of files: of the kernel's own below /sys, and of patches that are made again. */
const moduleNameText = v.pipe(text, v.regex(/^[\w-]+$/));
const fileName = v.pipe(text, v.regex(/^[^/.][^/]*$/));

const stateSchema = v.object({ id: v.number(), version: v.number() });

/** A symbol as it is reached; see resolve.ts of packages/livepatch. */
const symbolSchema = v.object({
  name: text,
  how: v.picklist(["exported", "klp", "patch"]),
  object: v.optional(text),
  sympos: v.optional(count),
  symbol: text,
});

const madeSchema = v.object({
  patches: v.array(v.object({ name: fileName, text })),
  /** C files that were written by hand, each with those that it includes from beside it. */
  sources: v.array(v.object({ name: fileName, text, beside: v.array(v.object({ name: fileName, text })) })),
  rebuild: v.array(text),
  acceptLayouts: v.array(text),
  acceptInits: v.exactOptional(v.array(text)),
  acceptData: v.exactOptional(v.array(text)),
  shadows: v.exactOptional(v.array(text)),
  holes: v.exactOptional(v.array(text)),
  redirects: v.exactOptional(v.array(text)),
});

/** What is read from a file that others may have changed is held against it, all the way down. Members that it does not know are let be. */
export const manifestSchema = v.object({
  suture: said(v.literal(1), "the version of this form"),
  name: text,
  contents: said(text, "of all that the module holds besides this (see contents.ts)"),
  kernel: v.object({ release: text, buildId: text }),
  proof: said(
    v.object({ proven: v.boolean(), functions: count, reason: v.exactOptional(text) }),
    "whether the originals of all patched objects were shown to be what the kernel runs",
  ),
  replace: v.boolean(),
  objects: v.array(v.object({ path: text, owner: text, original: text, patched: text })),
  functions: v.array(
    v.object({
      object: text,
      owner: text,
      name: text,
      sympos: count,
      sizeBefore: said(count, "bytes of code before the patch"),
      size: count,
      why: text,
    }),
  ),
  modules: v.exactOptional(
    said(
      v.array(v.object({ name: moduleNameText, buildId: v.exactOptional(text), srcversion: v.exactOptional(text) })),
      "the builds of modules that it was proven against",
    ),
  ),
  callbacks: v.exactOptional(
    said(
      v.array(v.object({ object: text, owner: text, kind: v.picklist(CALLBACKS), name: text })),
      "functions of the patch that run when one of the kernel's objects is patched or unpatched",
    ),
  ),
  states: v.exactOptional(v.array(stateSchema)),
  shadows: v.exactOptional(
    said(
      v.array(v.object({ id: v.number(), name: text, size: count })),
      "shadow variables that it declares, and frees when it is taken out",
    ),
  ),
  members: v.exactOptional(
    said(
      v.array(
        v.object({
          type: said(text, "the structure's tag"),
          name: text,
          file: said(text, "that defines the structure"),
          declaration: text,
          state: said(v.number(), "the number of its shadow variables, and the state by which a later livepatch knows of it"),
          sites: said(
            v.array(v.object({ file: text, line: count, what: v.picklist(["read", "written", "begins", "ends"]) })),
            "where it is read and written, and where objects of the structure begin and end, in the fixed source",
          ),
        }),
      ),
      "new members that lie beside the objects of their structures, by somebody's word that 0 is right for objects that were there before",
    ),
  ),
  membersSource: v.exactOptional(said(text, "how the fixed source was written anew for those, as a diff")),
  holes: v.exactOptional(
    said(
      v.array(
        v.object({
          type: said(text, "the structure's tag"),
          name: text,
          file: said(text, "that defines the structure"),
          declaration: text,
          state: said(v.number(), "the state by which a later livepatch knows of it"),
          begins: said(
            v.array(v.object({ file: text, line: count })),
            "where objects of the structure begin, cleared, in the kernel's source",
          ),
        }),
      ),
      "new members that lie in what was padding of their structures, by somebody's word that 0 is right for objects that were there before",
    ),
  ),
  successors: v.exactOptional(
    said(
      v.array(
        v.object({
          object: text,
          owner: text,
          function: said(text, "the kernel's, which is replaced"),
          becomes: said(text, "the function that the fix has in its place"),
          variable: said(text, "the table that leads to it, which stays as it is"),
          at: said(count, "bytes from the table's start"),
        }),
      ),
      "functions that are replaced since the fix has others in their place in tables, and nothing but those leads to them",
    ),
  ),
  stackTypes: v.exactOptional(
    said(
      v.array(
        v.object({
          object: text,
          owner: text,
          type: said(text, "the structure"),
          why: said(text, "how it lies otherwise than the kernel has it"),
          functions: said(v.array(text), "the functions of the object whose code knows it: all of them are replaced"),
        }),
      ),
      "structures whose layout changes and whose objects live on the stacks of replaced functions only, so that no task has an old one when it moves over",
    ),
  ),
  live: v.exactOptional(
    said(
      v.array(
        v.object({
          object: text,
          owner: text,
          variable: text,
          at: said(count, "bytes from the variable's start"),
          size: count,
          was: said(text, "what the kernel was built with: a name, a number, or nothing"),
          becomes: text,
          fills: said(v.boolean(), "a function is put where none was"),
          holds: said(v.boolean(), "it points into the module, which therefore stays in memory"),
          readOnly: v.boolean(),
          state: said(v.number(), "the state by which a later livepatch knows of it"),
        }),
      ),
      "words of the kernel's variables that are changed where they stand, by somebody's word that nothing has gone by the old value, and put back when it is taken out",
    ),
  ),
  redirects: v.exactOptional(
    said(
      v.array(
        v.object({
          object: text,
          owner: text,
          function: said(text, "the kernel's, which has no ftrace entry"),
          why: text,
          sizeBefore: said(count, "bytes of code before the patch"),
          size: count,
          state: said(v.number(), "the state by which a later livepatch knows of it"),
        }),
      ),
      "functions whose calls a probe of the kernel sends to new ones, each call by itself, by somebody's word; the module stays in memory",
    ),
  ),
  added: v.array(v.object({ object: text, name: text, kind: v.picklist(["function", "variable"]), size: count })),
  skipped: said(v.array(v.object({ object: text, name: text, why: text })), "what differs but has no effect at run time"),
  notTaken: v.exactOptional(
    said(
      v.array(v.object({ object: text, name: text, code: text, why: text })),
      "of a livepatch that replaces functions by themselves: those that were asked for and are not replaced",
    ),
  ),
  notes: said(v.array(v.object({ object: text, text })), "what a person should know of the patch"),
  handed: v.exactOptional(
    said(
      v.array(v.object({ object: text, function: text, kind: v.picklist(["string", "function", "variable"]), name: text })),
      "addresses of what is in the module that its code gives to others: what keeps one is left behind when it is taken out",
    ),
  ),
  symbols: v.array(symbolSchema),
  compiler: text,
  inputs: said(
    v.array(
      v.object({
        kind: v.picklist(["patch", "source", "livepatch", "package", "tree", "module", "image", "config"]),
        name: text,
        version: v.exactOptional(text),
        sha256: text,
      }),
    ),
    "every input with its SHA-256",
  ),
  fixes: said(
    v.array(
      v.object({
        subject: v.exactOptional(text),
        cves: said(v.array(text), "that the header says it fixes"),
        mentioned: v.exactOptional(
          said(v.array(text), "other CVEs that the header names; absent: whether it says that it fixes them was not looked at"),
        ),
      }),
    ),
    "from the headers of the patches",
  ),
  catchUp: v.exactOptional(
    said(catchUpSummarySchema, "of one that brings the kernel to the level of a newer release: what became of each change"),
  ),
  account: v.exactOptional(said(accountSummarySchema, "of such a one: where each CVE stands that the newer release fixes")),
  made: v.exactOptional(said(madeSchema, "what it was made of besides the kernel; absent in one that registers itself")),
});

export type Manifest = v.InferOutput<typeof manifestSchema>;

/** All that a person gave, so that the next livepatch can be made of the same and more. Texts are latin1. */
export type Made = v.InferOutput<typeof madeSchema>;

/** Before the module is finished. */
export type DraftManifest = Omit<Manifest, "contents">;

export function writeManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, undefined, 1)}\n`;
}
