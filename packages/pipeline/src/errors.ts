import { authoredErrors } from "@suture/authored";
import { defineErrors } from "@suture/errors";
import { kbuildErrors } from "@suture/kbuild";
import { sourcesErrors } from "@suture/sources";

export const pipelineErrors = defineErrors({
  PATCH_UNREADABLE: {
    cause:
      "The file holds something that Suture does not read as a change: no unified diff, a damaged hunk or header, a mail that cannot be decoded, or a binary, renaming or deleting change. Nothing is left out in silence.",
    mend: "Give a unified diff, as `git format-patch`, `git diff` or `diff -u` writes it. docs/patch-files.md lists what is read.",
  },
  PATCH_DOES_NOT_APPLY: {
    cause:
      "A hunk of the patch is not found in the kernel's source, or it has moved and does not fit in exactly one place, in the function that its header names. All its lines must be there exactly.",
    mend: "Take the fix as it was backported to this kernel's series, or adapt it to the source of exactly this version.",
  },
  PATCH_NOT_FOR_KERNEL: {
    cause: "The patch changes a file that this kernel is not built from, in its configuration and architecture.",
    mend: "The kernel does not have the fault, or the fix is for another configuration: leave that file out of the patch.",
  },
  PATCH_NOT_C: {
    cause:
      "The patch changes something that cannot be replaced function by function: assembly, build rules, configuration, linker scripts, or what a program of the kernel's build reads; or a header that one of them includes, and that it reads otherwise then.",
    mend: "Take that file out of the patch if the fix works without it; otherwise boot a fixed kernel.",
  },
  BUILD_NOTHING_CHANGED: {
    cause: "All objects that the patch affects compile to the same code as before.",
    mend: "There is nothing to patch: the change is to comments, to code that this configuration leaves out, or has no effect.",
  },
  BUILD_NOT_AT_RUN_TIME: {
    cause: "All that the patch changes runs or is read only while the kernel boots, or never.",
    mend: "There is nothing to patch in a running kernel: boot a fixed one. If what ran at boot has to be put right in the running kernel, a callback can do it (docs/authoring.md#callbacks, docs/authoring.md#changed-initial-values).",
  },
  BUILD_OTHER_PROGRAM: {
    cause:
      "The fix changes only a program that the kernel's image carries as data (the vDSO, purgatory, code of the boot), or a header on which such a program and the kernel agree. No livepatch reaches it.",
    mend: "Leave that part out of the fix, or boot a fixed kernel.",
  },
  BUILD_SEALED: {
    cause:
      "The fix keeps the address of a function that the kernel only calls by name. With IBT the kernel has taken away the landing pad of that function: an indirect call to it would stop the machine.",
    mend: "Call the function from a new one in the fix, and keep the address of that.",
  },
  BUILD_REBUILD: {
    cause: "A function that is to be replaced by itself cannot be, or what --rebuild names is not one object or function.",
    mend: "Name it as OBJECT (fs/pipe.o) for all functions that can be replaced, or as OBJECT:FUNCTION.",
  },
  BUILD_WIDE: {
    cause:
      "Patched code has a branch of two bytes on a module's static key, or a shift by a constant that is filled in at boot; compiled with room for reading the key or variable, the object comes out otherwise.",
    mend: "Reorganise the fix so that the named function does not ask the static key (a tracepoint asks one too) or reads it at run time (docs/authoring.md#static-keys), or write the livepatch by hand.",
  },
  BUILD_MOVED: {
    cause:
      "The fix gives an object a function or variable that the running kernel has from another object, and what the kernel has can neither be used nor replaced for all who use it.",
    mend: "Leave the function or variable in the file where it was, with the same type and initial value, and declare it in the other; or give what is really new another name.",
  },
  BUILD_DEFINED_TWICE: {
    cause: "The fix adds a global function or variable whose name something else that it is linked or loaded with defines already.",
    mend: "Give the new one another name, or make it static.",
  },
  BUILD_READ_ONLY: {
    cause: "Patched code begins to write a variable that the running kernel has made read-only: __ro_after_init or const.",
    mend: "Hold what is to be written in a new variable with another name.",
  },
  BUILD_SHADOW_MEMBER: {
    cause:
      "A member that --shadow names cannot lie beside the objects of its structure: the fix does not add it, or it has more than one value.",
    mend: "Name it as TYPE.MEMBER. What is no integer, pointer, boolean or enumeration is made a shadow variable by hand (docs/authoring.md#new-fields).",
  },
  BUILD_SHADOW_USE: {
    cause:
      "A new member is used in a way that what lies beside the object cannot serve: by its address, in an initial value, or in an expression whose extent is not certain.",
    mend: "Write the place otherwise in the fix (read and write the member by itself, in statements of their own), or make the member a shadow variable by hand (docs/authoring.md#new-fields).",
  },
  BUILD_SHADOW_OBJECT: {
    cause: "It is not certain where objects of the structure begin and end: a new one could find what an older one has left.",
    mend: "Make the member a shadow variable by hand, and free it where objects end (docs/authoring.md#new-fields), or boot a fixed kernel.",
  },
  BUILD_HOLE: {
    cause:
      "A member that --hole names cannot be put into padding of its structure: the fix does not add it, it has more than one value, an object may have something else than 0 there, or the fix gives new ones something else than 0.",
    mend: "Name it as TYPE.MEMBER. Keep it beside the objects instead, with --shadow TYPE.MEMBER (docs/means.md) or by hand (docs/authoring.md#new-fields), or boot a fixed kernel.",
  },
  BUILD_LIVE_DATA: {
    cause:
      "A value in the running kernel's data is to be changed where it stands, and what another object of the fix does, or what the variable is, makes that wrong.",
    mend: "Let a callback set it (docs/authoring.md#changed-initial-values), or leave the change out of the fix.",
  },
  BUILD_SUCCESSOR: {
    cause: "A function of the fix takes the place of the kernel's in a table, and does not take and return the same.",
    mend: "Let it take and return what the old one does: code that is not part of the fix calls it by the table as it called the old one.",
  },
  BUILD_REDIRECT: {
    cause:
      "A function is to be redirected by a probe of the kernel (`--redirect`), and that is not needed, is not certain to be meant, or cannot be done.",
    mend: "Name each function that DIFF_NOT_PATCHABLE is said of, as FUNCTION or OBJECT:FUNCTION, and no other. It must take and return what it did: old code goes on calling it.",
  },
  BUILD_ALIGNMENT: {
    cause: "The fix wants a variable to be aligned more than the running kernel's is.",
    mend: "Leave the variable as it is, and make a new one with another name for what needs the alignment.",
  },
  BUILD_NAME: {
    cause: "The name cannot be a module's name.",
    mend: "Use letters, digits, - and _, at most 40, with --name.",
  },
  CATCHUP_WORD: {
    cause: "Somebody's word is for one variable, function or member, and a release changes many of one name.",
    mend: "--accept-data OBJECT:VARIABLE, --redirect OBJECT:FUNCTION and --hole TYPE.MEMBER, as the reasons of a report name them (docs/catch-up.md).",
  },
  CATCHUP_UNIT: {
    cause: "No unit of the release has the id that --leave-out, --take or --accept-doubt gives, and none changes a file of that name.",
    mend: "Units have the ids that the report of a run says (docs/catch-up.md); of commits, their first digits do, too.",
  },
  CATCHUP_ASKED: {
    cause: "A unit is not in the livepatch because it was asked so, by --leave-out, --take or --only.",
    mend: "Run it without that option.",
  },
  CATCHUP_NEEDS: {
    cause: "A unit needs another one that is left out: without that it is not the same change.",
    mend: "See what is said of the units that it needs; otherwise boot the newer kernel.",
  },
  CATCHUP_HALF: {
    cause:
      "A unit of source packages has to do with what few files name, and so has one that is left out: the two may be one fix, and half a fix can be worse than none.",
    mend: "Read both. Where each is right without the other, --accept-doubt UNIT carries it; commits (--git) say themselves what is one fix.",
  },
  CATCHUP_EXISTING: {
    cause:
      "By its text a unit meets objects that the old code made: it frees, reads or waits for what only its new constructor gives them. Those that exist never get it, and what the livepatch made stays when it goes.",
    mend: "Read it. Where it is right for objects that exist already, too, --accept-doubt UNIT carries it; otherwise boot the newer kernel.",
  },
  CATCHUP_THREAD: {
    cause:
      "A kernel thread is begun with a function that changes, and is in it for as long as it lives. The kernel waits until no task is in what is replaced: on a machine that has such a thread, the whole livepatch would neither come in nor go out.",
    mend: "Where no machine has such a thread, --accept-doubt UNIT carries it; otherwise boot the newer kernel.",
  },
  CATCHUP_UNCOMPILED: {
    cause:
      "A file that names what the unit changes does not compile in the kernel's source as it is, without any change: what the unit does to it cannot be looked at.",
    mend: "Its message says what is missing in the source tree. Where that cannot be had, boot the newer kernel.",
  },
  CATCHUP_RANGE: {
    cause: "The commits that --git and --range name cannot be read.",
    mend: "Give a folder that git knows and a range of it, A..B, with A the release that runs: `git -C FOLDER log --oneline A..B` shows it.",
  },
  PATCH_CONFLICT: {
    cause: "A patch changes a place that another patch of the same livepatch has changed.",
    mend: "Make the later patch against the source with the earlier one applied, or make one patch of the two.",
  },
  BUILD_UPON: {
    cause:
      "A livepatch cannot be built upon the one that was given: it is damaged, for another kernel, or not made by this version of Suture.",
    mend: "Give the livepatch that is loaded, as Suture built it; or give all patches again, with --replace.",
  },
});

/** Its own refusals, and those of the packages below that it finds itself, too. */
export const { fail } = defineErrors({ ...authoredErrors.kinds, ...kbuildErrors.kinds, ...sourcesErrors.kinds, ...pipelineErrors.kinds });
