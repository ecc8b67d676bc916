/** Documents of the commands that need no running livepatch: kernels, build, extract, prove, diff, inspect. */

import * as v from "valibot";
import { accountSchema as account } from "../account.ts";
import { CALLBACKS } from "../callbacks.ts";
import { catchUpReportSchema as catchUpReport } from "../catch-up.ts";
import { manifestSchema as manifest } from "../manifest.ts";
import { maybe, said } from "../said.ts";
import { documentKind } from "./document.ts";
import { buildId, bytes, flag, milliseconds, number, owner, release, text, texts } from "./parts.ts";

const CALLBACK = v.picklist(CALLBACKS);
const added = v.array(v.strictObject({ name: text, kind: v.picklist(["function", "variable"]), size: bytes }));
const named = v.array(v.strictObject({ name: text, why: text }));

const listedKernel = v.strictObject({
  release,
  version: maybe(said(text, "of the image's package; absent for a kernel that is none of Debian's")),
  suite: maybe(said(text, "of Debian's that has its image")),
  running: flag,
  installed: flag,
  archived: said(flag, "the archive has its image"),
  cached: maybe(
    said(v.strictObject({ bytes }), "it is ready in the cache; the bytes are with its source, which kernels of one source share"),
  ),
  obstacles: maybe(
    said(texts, "options that keep it from being live-patched, as they should be; absent where its configuration is not here"),
  ),
  source: said(flag, "the archive has the source that the image was built from, exactly"),
  headers: said(flag, "the archive has its headers and build tools"),
  featureset: maybe(said(text, "patches on top of the source")),
  compiler: maybe(
    v.strictObject({
      name: text,
      installed: flag,
      cached: said(texts, "the versions of it that are in the cache: where it is not installed, one is fetched"),
    }),
  ),
});

export const kernelsDocument = documentKind("kernels", 1, "`suture kernels`: what can be built for.", {
  running: listedKernel,
  installed: said(v.array(listedKernel), "the newest first"),
  archive: said(v.array(listedKernel), "the newest first"),
  cache: v.strictObject({ path: text, bytes }),
  lists: said(
    v.strictObject({
      published: maybe(said(text, "of the newest, as ISO 8601 has it")),
      note: maybe(said(text, "that they are old, or why there are none, with what to type")),
      suites: said(
        v.array(v.strictObject({ suite: text, published: maybe(text), note: maybe(text) })),
        "of those that the machine's apt does not know",
      ),
    }),
    "apt's package lists",
  ),
});

export const buildDocument = documentKind("build", 1, "`suture build`: a livepatch that was built.", {
  file: said(text, "the module"),
  size: bytes,
  manifest,
});

export const catchUpDocument = documentKind("catch-up", 1, "`suture catch-up`: what became of each change of a newer release.", {
  file: maybe(said(text, "the module; absent where nothing could be carried")),
  size: maybe(bytes),
  report: catchUpReport,
  account: maybe(said(account, "what that means for each fix and each CVE, where the release's changelog was read")),
});

export const decisionsDocument = documentKind(
  "decisions",
  1,
  "`suture build --keep`: decisions.json, what was decided of each object, and why.",
  {
    decisions: v.array(
      v.strictObject({
        object: text,
        what: said(
          v.picklist(["paired", "changed", "carried", "added", "reached", "left", "same", "refused"]),
          "paired: it has another name in the kernel; changed: it replaces the kernel's; carried: it goes with that; added: it is new; reached: it stays the kernel's; left: it differs and needs nothing, or cannot be taken; same: nothing differs; refused: why there is no livepatch",
        ),
        name: said(text, "of the function, variable or string, or the object"),
        why: text,
      }),
    ),
  },
);

export const extractDocument = documentKind("extract", 1, "`suture extract`: functions of the kernel as a C file.", {
  file: said(text, "the C file of the kernel that they are from"),
  owner,
  functions: texts,
  notes: said(texts, "what the author has to look at"),
  text: maybe(said(text, "the C file that was made, where --output is not given")),
  output: maybe(said(text, "the file that was written")),
});

export const proveDocument = documentKind("prove", 1, "`suture prove`: objects held against the code that a kernel runs.", {
  kernel: release,
  buildId,
  objects: v.array(
    v.strictObject({
      object: text,
      owner,
      functions: said(number, "functions that the running kernel has of it"),
      proven: said(number, "those of them that are proven"),
      overridden: said(texts, "weak functions that another object of the kernel overrides; they are not counted"),
      doubts: said(
        v.array(v.strictObject({ function: text, code: text, why: text })),
        "each function that is not proven, with its first doubt",
      ),
      cause: maybe(said(text, "the likeliest cause of a mismatch")),
      failure: maybe(said(v.strictObject({ code: text, why: text }), "why it could not be compiled or compared at all")),
      compileMs: milliseconds,
      proofMs: milliseconds,
    }),
  ),
});

export const diffDocument = documentKind("diff", 1, "`suture diff`: two builds of one object.", {
  outcome: said(v.picklist(["same", "idle", "patch"]), "idle: what differs needs nothing in a running kernel"),
  functions: said(
    v.array(
      v.strictObject({
        name: text,
        why: text,
        through: said(texts, "of one that is taken in for what it calls: the functions in between"),
        sizeBefore: bytes,
        size: bytes,
      }),
    ),
    "functions to be replaced",
  ),
  callbacks: v.array(v.strictObject({ kind: CALLBACK, name: text })),
  carriedAlong: said(named, "changed functions without an ftrace entry: carried along with their callers"),
  added,
  skipped: said(named, "what differs, and needs nothing in a running kernel"),
  notes: texts,
  keys: said(
    v.array(v.strictObject({ table: text, function: text, key: text, kept: flag })),
    "static keys and static calls of the kernel to which entries of special sections refer",
  ),
  needs: said(v.array(v.strictObject({ name: text, ownObject: flag })), "symbols that the running kernel must have"),
  output: maybe(said(text, "the object that was written")),
});

const signer = v.strictObject({
  keyId: maybe(said(text, "subject key identifier of the certificate, in hex; or issuer and serial")),
  issuer: maybe(text),
  serial: maybe(said(text, "of the certificate, in hex")),
  hash: said(text, "sha256 and such"),
  algorithm: said(text, "rsa or ecdsa"),
});

export const inspectDocument = documentKind("inspect", 1, "`suture inspect`: what a livepatch module says and holds.", {
  file: text,
  name: text,
  livepatch: flag,
  release: said(text, "the kernel's, as its vermagic has it"),
  vermagic: text,
  modinfo: v.array(v.strictObject({ key: text, values: texts })),
  functions: said(
    v.array(v.strictObject({ name: text, sympos: number, replacement: said(text, "its name in the module"), size: bytes })),
    "what replaces what, by the module's own tables",
  ),
  descriptor: maybe(
    said(
      v.strictObject({
        replace: flag,
        states: v.array(v.strictObject({ id: number, version: number })),
        objects: v.array(
          v.strictObject({
            name: owner,
            functions: v.array(v.strictObject({ name: text, sympos: number, replacement: text, size: bytes })),
            callbacks: v.array(v.strictObject({ kind: CALLBACK, name: text })),
          }),
        ),
      }),
      "what it registers with the livepatch core; absent if it makes that when it is loaded",
    ),
  ),
  others: said(v.array(v.strictObject({ name: text, size: bytes })), "functions that replace nothing"),
  klpSymbols: said(v.array(v.strictObject({ object: text, name: text, sympos: number })), "found by the livepatch core"),
  imports: said(texts, "found by the module loader"),
  relocations: v.array(
    v.strictObject({ section: text, object: maybe(said(text, "where the livepatch core applies them: for what")), count: number }),
  ),
  faults: said(texts, "why loading it would be wrong, as far as the file alone tells"),
  manifest: maybe(manifest),
  signature: maybe(said(v.strictObject({ signers: v.array(signer) }), "that the kernel finds at its end; absent if it is not signed")),
});

export const signDocument = documentKind("sign", 1, "`suture sign`: a module with the kernel's signature.", {
  file: said(text, "what was written"),
  module: text,
  sha256: said(text, "of what was written"),
  subject: said(text, "of the certificate"),
  signer,
  replaced: said(flag, "whether it had another signature before"),
  notes: texts,
});

export const reviewDocument = documentKind("review", 1, "`suture review`: the page about a livepatch that a person reads and signs.", {
  file: said(text, "the page"),
  module: text,
  sha256: said(text, "of the module that it shows"),
  functions: said(number, "that the livepatch replaces"),
  beside: said(number, "those of them whose instructions in the kernel stand beside the new ones"),
  missing: said(named, "those whose do not"),
});

export const accountDocument = documentKind("account", 1, "`suture account`: what became of each fix and each CVE of a newer release.", {
  account,
  page: maybe(said(text, "the page that was written")),
  vex: maybe(said(text, "the OpenVEX document that was written")),
});
