import { defineErrors } from "@suture/errors";

export const diffErrors = defineErrors({
  DIFF_NOT_COMPARABLE: {
    cause: "The two objects cannot be two builds of one source: header, machine or kind of file differ.",
    mend: "Compile both with the same compiler and options, with -ffunction-sections -fdata-sections.",
  },
  DIFF_TABLE: {
    cause: "A special section (bug table, exception table, alternatives, ...) does not have the shape that the kernel's own types give.",
    mend: "The object was not built for this kernel, or not passed through objtool: build it with the kernel's own tools.",
  },
  DIFF_ENTRY_SIZE: {
    cause:
      "How the entries of a special section lie is said nowhere, or in two ways, and its size and relocations leave more than one answer, or none.",
    mend: "Say how many bytes an entry has in the kernel that the object is for: `suture diff --entry-size SECTION=BYTES`, or give its types with --btf.",
  },
  DIFF_REFERENCE: {
    cause: "A relocation of code or data that the patch must carry points to a place that cannot be named.",
    mend: "Reorganise the fix so that the named function does not need that reference, or write the livepatch by hand.",
  },
  DIFF_DATA_CHANGED: {
    cause: "The fix changes the initial value or size of writable data that exists, live, in the running kernel.",
    mend: "Leave the variable as it is in the source, and let a callback set the new value in the running kernel (docs/authoring.md#changed-initial-values). State that needs more room goes into a shadow variable (docs/authoring.md#shadow-variables). If code of the running kernel has not gone by the old value, say so with --accept-data VARIABLE (docs/means.md).",
  },
  DIFF_RODATA_CHANGED: {
    cause: "The fix changes read-only data that code outside of the patched functions uses too.",
    mend: "Leave the old table and make a new one with another name, used by the functions that need it. If code of the running kernel has not gone by the old contents, say so with --accept-data VARIABLE (docs/means.md).",
  },
  DIFF_SECTION_CHANGED: {
    cause: "The fix changes a section that a running kernel reads only once, or that Suture cannot replace.",
    mend: "Take the change out of the fix: parameters, exports, initcalls and the like are not read again. The new default of a parameter is set by a callback (docs/authoring.md#changed-initial-values); KPATCH_IGNORE_SECTION leaves a section alone (docs/kpatch-patches.md).",
  },
  DIFF_INIT_REFERENCE: {
    cause: "Patched code refers to code or data of the boot phase, whose memory is free by now.",
    mend: "Change the fix so that the patched function does not use __init or __initdata symbols. What is to be done once, when the livepatch comes, belongs into a callback (docs/authoring.md#callbacks).",
  },
  DIFF_LEFT_OUT: {
    cause:
      "Code that runs only at boot, or when its module is loaded or unloaded, is left out of a livepatch; the fix changes such code, and what it carries depends on what that code does now.",
    mend: "Let a callback of the livepatch do in the running kernel what the named function does (docs/authoring.md#what-init-code-does). If nothing carried depends on it, say so with --accept-init FUNCTION.",
  },
  DIFF_NOT_PATCHABLE: {
    cause: "A changed function has no ftrace entry, so it cannot be redirected, and not all of its callers can be taken in.",
    mend: "Make the change in its callers. Where a trap for each call is no hindrance, and each call may move over by itself: `--redirect FUNCTION` (docs/means.md#redirected-by-a-probe). Or write the livepatch by hand (docs/authoring.md#callbacks shows how code of the livepatch runs without a function to replace, docs/authoring.md#syscalls how a system call is replaced).",
  },
  DIFF_REDIRECT: {
    cause:
      "A function was to be redirected by a probe of the kernel (`--redirect`), which the kernel forbids for it, or which could bring code that was compiled for the old one to the new one.",
    mend: "Make the change in functions that have an ftrace entry: in its callers, or in a new function that they call.",
  },
  DIFF_MODULE_KEY: {
    cause:
      "Patched code branches on a static key of a module, which cannot be tied to the patch before that module is loaded, and the branch is too short to be made one that reads the key.",
    mend: "In the fix, read the key at run time: `static_key_enabled(&key)` instead of `static_branch_*(&key)` (docs/authoring.md#static-keys); leave trace calls out of the function.",
  },
  DIFF_RUN_TIME_CONSTANT: {
    cause:
      "Patched code has a place that the kernel fills in at boot (runtime_const_*), and the instruction there is too short to be made one that reads the variable.",
    mend: "In the fix, use the variable itself instead of runtime_const_*().",
  },
  DIFF_STATIC_LOCAL: {
    cause: "A static local variable of the original could not be paired with the one of the patched object.",
    mend: "Rename the new variable, or keep the old one in the function that used it.",
  },
  DIFF_VARIABLE_LOST: {
    cause:
      "A variable of the running kernel is gone from the source, and the functions that used it use a new one in the same way: it could be the same variable under another name or as part of a structure, whose state would be lost. Or variables of the kernel are used in each other's places.",
    mend: "Keep the old name in the fix if it is the same variable; if it is another one, make the two changes in two fixes, or let the functions use the new one otherwise than the old.",
  },
  DIFF_VARIABLE_HOME: {
    cause:
      "The fix puts a variable into memory of another kind: of a running kernel's variable it cannot be changed whether it may be written, whether each processor has its own, and whether it is there at all.",
    mend: "Leave the variable as it is declared, and hold what is to be written in a new variable with another name.",
  },
  DIFF_READ_ONLY: {
    cause: "Patched code writes a variable that is read-only in a running kernel: __ro_after_init or const.",
    mend: "Hold what is to be written in a new variable with another name, or set the variable in code of the boot phase and boot a fixed kernel.",
  },
  DIFF_PER_CPU: {
    cause:
      "The initial contents of a per-CPU variable that the fix adds refer to a module's code or data: they are copied for each processor before those are known.",
    mend: "Set it in a callback (docs/authoring.md#callbacks).",
  },
  DIFF_MARK: {
    cause: "The fix says something to Suture, by a macro of kpatch-macros.h or livepatch_helpers.h, that cannot be followed.",
    mend: "Read the reason: docs/kpatch-patches.md tells what each macro may name. An object has one callback of a kind, defined in the same file.",
  },
  DIFF_UNKNOWN_SECTION: {
    cause: "The code that must be carried stands in a kind of section that Suture does not know.",
    mend: "Report it with the object: nothing is carried blindly.",
  },
});

export const fail = diffErrors.fail;
