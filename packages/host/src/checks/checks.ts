/** Before anything goes in: everything that would make the load wrong, or the kernel refuse it, as far as it can be known. */
import { SutureError } from "@suture/errors";
import { fail } from "../errors.ts";
import { attachedFunctions, type Holder, kprobes, type Probe } from "../machine/holders.ts";
import { symbolCounts } from "../machine/kallsyms.ts";
import { mayLoadModules, modulesDisabled, signaturesEnforced } from "../machine/kernel.ts";
import { asKeyDescription, machineKeys } from "../machine/keys.ts";
import { hasLivepatchCore } from "../machine/livepatches.ts";
import type { Machine } from "../machine/machine.ts";
import type { Snapshot } from "../machine/snapshot.ts";
import type { ModuleFile } from "../module/module-file.ts";
import { recordOf } from "../store/records.ts";
import { leftBehind } from "./left-behind.ts";
import { checkPatchedModules } from "./patched-modules.ts";
import { stateConflict } from "./states.ts";

const OTHER_NAME =
  "Build it once more with another `--name`: that one can be loaded beside it. Or reboot; or, if nothing keeps them, `suture unload --left-behind`.";

/** What was looked at before a load, and what came of it. */
export interface CheckResult {
  what: string;
  /** What was found. */
  found: string;
  outcome: "good" | "unknown" | "refused";
  refusal?: SutureError;
}

export interface CheckOptions {
  /** Load what nothing shows to fit. */
  unproven: boolean;
  /** Load it over another livepatch of the same functions. */
  stack: boolean;
  /** The other livepatches are to be replaced. */
  replace: boolean;
}

/**
 * All of them, in the order in which they matter. Nothing is changed.
 * @param again its module may be in the kernel without effect: it is taken out before it is loaded
 */
export function checkLoad(now: Snapshot, module: ModuleFile, options: CheckOptions, again = false): CheckResult[] {
  const { machine } = now;
  return [
    checkRights(machine),
    checkModulesAllowed(machine),
    checkCore(machine),
    checkKernel(now, module),
    checkProof(module, options),
    checkPresence(now, module, again),
    checkTransition(now),
    checkReplace(now, module, options),
    checkStates(now, module),
    checkSignature(machine, module),
    checkFtrace(machine),
    checkModules(machine, module),
    checkFunctions(now, module),
    checkHolders(now, module, options),
  ];
}

export function firstRefusal(findings: readonly CheckResult[]): SutureError | undefined {
  return findings.find(({ refusal }) => refusal !== undefined)?.refusal;
}

const good = (what: string, found: string): CheckResult => ({ what, found, outcome: "good" });
const unknown = (what: string, found: string): CheckResult => ({ what, found, outcome: "unknown" });
const refused = (what: string, refusal: SutureError): CheckResult => ({ what, found: refusal.message, outcome: "refused", refusal });

function checkRights(machine: Machine): CheckResult {
  if (mayLoadModules(machine)) return good("rights", "modules may be loaded");
  return refused("rights", fail("HOST_NOT_ROOT", "this process may not load modules"));
}

function checkModulesAllowed(machine: Machine): CheckResult {
  if (!modulesDisabled(machine)) return good("modules", "not switched off");
  return refused("modules", fail("HOST_MODULES_DISABLED", "kernel.modules_disabled is 1"));
}

function checkCore(machine: Machine): CheckResult {
  if (hasLivepatchCore(machine)) return good("livepatch core", "present");
  return refused("livepatch core", fail("HOST_NO_LIVEPATCH", "/sys/kernel/livepatch is not there"));
}

function checkKernel(now: Snapshot, module: ModuleFile): CheckResult {
  const { release, buildId } = now.kernel;
  const { file, manifest } = module;
  if (module.release !== release)
    return refused("kernel", fail("HOST_OTHER_KERNEL", `it is for ${module.release}; ${release} runs`, { file }));
  if (manifest === undefined) return unknown("kernel", `${release}; it does not say for which build of it it is`);
  if (buildId === undefined)
    return refused("kernel", fail("HOST_OTHER_KERNEL", `${release} runs, but it does not tell its build-id`, { file }));
  if (manifest.kernel.buildId !== buildId)
    return refused(
      "kernel",
      fail("HOST_OTHER_KERNEL", `it is for the ${release} with build-id ${manifest.kernel.buildId}; the one that runs has ${buildId}`, {
        file,
      }),
    );
  return good("kernel", `${release}, build-id ${buildId}`);
}

function checkProof({ file, manifest }: ModuleFile, options: CheckOptions): CheckResult {
  if (manifest?.proof.proven === true) return good("proof", "its originals are what the kernel runs");
  const why = manifest === undefined ? "Suture did not build it" : `it is not proven to fit: ${manifest.proof.reason ?? "not tried"}`;
  return options.unproven
    ? unknown("proof", `${why}; as asked, it is loaded all the same`)
    : refused("proof", fail("HOST_UNPROVEN", why, { file }));
}

function checkPresence(now: Snapshot, { name, file }: ModuleFile, again: boolean): CheckResult {
  const what = "not loaded yet";
  const patch = now.patch(name);
  if (patch !== undefined)
    return refused(
      what,
      fail(
        "HOST_ALREADY_LOADED",
        patch.transition === undefined
          ? `${name} is loaded already`
          : `${name} is in the kernel already, on its way to being ${patch.transition}: nobody follows it unless another suture does`,
        { file },
        patch.transition === undefined ? {} : { mend: "`suture status --watch` follows it; `suture disable NAME` turns it back." },
      ),
    );
  if (!again && now.module(name) !== undefined) {
    const why = `the module ${name} is in the kernel, without effect`;
    const { kept } = leftBehind(recordOf(now.machine, name));
    return refused(
      what,
      kept === undefined
        ? fail("HOST_ALREADY_LOADED", why, { file }, { mend: `suture unload ${name}` })
        : fail("HOST_ALREADY_LOADED", `${why}, and stays there: ${kept}`, { file }, { mend: OTHER_NAME }),
    );
  }
  return good(what, `no ${name} in the kernel`);
}

function checkTransition(now: Snapshot): CheckResult {
  const { moving } = now;
  if (moving === undefined) return good("transitions", "none under way");
  return refused("transitions", fail("HOST_TRANSITION", `${moving.name} is on its way to being ${moving.transition}`));
}

function checkReplace(now: Snapshot, { file, manifest }: ModuleFile, options: CheckOptions): CheckResult {
  const what = "other livepatches";
  const others = now.patches.map(({ name }) => name);
  const list = others.length === 0 ? "none" : others.join(", ");
  if (manifest === undefined && others.length > 0)
    return unknown(what, `${list}; only Suture's own livepatches say beforehand whether they replace them`);
  if (options.replace && manifest?.replace === false)
    return refused(what, fail("HOST_NOT_REPLACING", "it would be added to the others, not replace them", { file }));
  if (!options.replace && manifest?.replace === true && others.length > 0)
    return refused(what, fail("HOST_REPLACES", `it replaces all others: ${list}`, { file }));
  return good(what, options.replace ? `to be replaced: ${list}` : list);
}

function checkStates(now: Snapshot, module: ModuleFile): CheckResult {
  const { refusal, unknown: notKnown } = stateConflict(now, module);
  if (refusal !== undefined) return refused("states", refusal);
  return notKnown.length === 0 ? good("states", "those of the loaded livepatches are known to it") : unknown("states", notKnown.join("; "));
}

function checkSignature(machine: Machine, { file, inspection }: ModuleFile): CheckResult {
  const what = "signature";
  const why = signaturesEnforced(machine);
  if (why === undefined) return good(what, "not asked for");
  if (inspection.signature === undefined) return refused(what, fail("HOST_UNSIGNED", why, { file }));
  const keys = machineKeys(machine);
  const { signers } = inspection.signature;
  if (keys === undefined) return unknown(what, "there is one; which keys the kernel has cannot be read");
  const ids = signers.flatMap(({ keyId, serial }) => keyId ?? serial ?? []).map(asKeyDescription);
  const key = keys.find(({ id }) => ids.includes(id));
  if (key !== undefined) return good(what, `of ${key.subject}, whose key the kernel has`);
  // The kernel's list names a key by its identifier, and by its certificate's number only where there is none.
  if (signers.some(({ keyId }) => keyId === undefined))
    return unknown(what, "there is one; whether the kernel has its key shows in the load");
  const known = keys.map(({ subject }) => subject).join("; ") || "none";
  return refused(
    what,
    fail("HOST_UNKNOWN_SIGNER", `${why}, and it is signed with the key ${ids.join(", ")}; those that the kernel has are of ${known}`, {
      file,
    }),
  );
}

function checkFtrace(machine: Machine): CheckResult {
  const value = machine.line("/proc/sys/kernel/ftrace_enabled");
  if (value === "1") return good("ftrace", "on");
  return refused(
    "ftrace",
    fail("HOST_FTRACE_OFF", value === undefined ? "this kernel has no ftrace" : `kernel.ftrace_enabled is ${value}`),
  );
}

function checkModules(machine: Machine, module: ModuleFile): CheckResult {
  const what = "patched modules";
  try {
    const { same, absent } = checkPatchedModules(machine, module);
    if (same.length + absent.length === 0) return good(what, "none");
    const later = absent.length === 0 ? "" : `not loaded, so not compared: ${absent.join(", ")}`;
    return good(what, [same.join(", "), later].filter((text) => text !== "").join("; "));
  } catch (error) {
    if (error instanceof SutureError) return refused(what, error);
    throw error;
  }
}

function checkFunctions(now: Snapshot, { file, manifest, inspection }: ModuleFile): CheckResult {
  const what = "functions";
  const functions = manifest?.functions ?? inspection.functions.map(({ name, sympos }) => ({ name, sympos, owner: undefined }));
  const counts = symbolCounts(now.kallsyms, new Set(functions.map(({ name }) => name)));
  if (counts === undefined) return unknown(what, "/proc/kallsyms cannot be read");
  const loaded = new Set(now.modules.map(({ name }) => name));
  for (const { name, sympos, owner } of functions) {
    const byObject = counts.get(name);
    if (owner === undefined) {
      // Which object it belongs to is not in a file that others built, and a module's functions come with the module.
      if (byObject === undefined) return unknown(what, `no ${name} in the kernel; it may belong to a module that is not loaded`);
      continue;
    }
    if (owner !== "vmlinux" && !loaded.has(owner)) continue;
    const count = byObject?.get(owner) ?? 0;
    if (sympos === 0 ? count !== 1 : sympos > count)
      return refused(
        what,
        fail("HOST_FUNCTION_MISSING", `${owner} has ${count} of ${name}; ${sympos === 0 ? "one" : `place ${sympos}`} is needed`, {
          file,
          symbol: name,
        }),
      );
  }
  const waiting = new Set(
    functions.flatMap(({ owner }) => (owner === undefined || owner === "vmlinux" || loaded.has(owner) ? [] : [owner])),
  );
  const later = waiting.size === 0 ? "" : `; those of ${[...waiting].join(", ")} when that is loaded`;
  return good(what, `${functions.length} to be replaced${later}`);
}

function checkHolders(now: Snapshot, module: ModuleFile, options: CheckOptions): CheckResult {
  const what = "holders";
  const { file } = module;
  const [attached, probes] = [attachedFunctions(now.machine), kprobes(now.machine)];
  const notes: string[] = [];
  for (const { name } of module.manifest?.functions ?? module.inspection.functions) {
    const owner = ownerOf(now, name);
    if (owner !== undefined && !options.stack && !options.replace)
      return refused(
        what,
        fail(
          "HOST_FUNCTION_HELD",
          `${owner} replaces ${name} already; on top of it, this one would undo what that one mends`,
          { file, symbol: name },
          { mend: `Build one livepatch of both fixes; or \`suture unload ${owner}\`; or, if this one was built over that one, --stack.` },
        ),
      );
    const holder = owner === undefined ? holderOf(name, attached, probes) : undefined;
    if (holder !== undefined) return refused(what, fail("HOST_FUNCTION_HELD", `${holder} holds ${name}`, { file, symbol: name }));
    if (attached?.some((h) => h.name === name && h.direct))
      notes.push(`a BPF trampoline is on ${name}; the kernel decides whether both can be`);
  }
  if (attached === undefined) return unknown(what, "tracefs is not mounted: the kernel alone knows");
  return notes.length === 0 ? good(what, "no function is held by anything else") : unknown(what, notes.join("; "));
}

function ownerOf(now: Snapshot, name: string): string | undefined {
  return now.patches.findLast((patch) => now.objects(patch.name).some(({ functions }) => functions.some((f) => f.name === name)))?.name;
}

function holderOf(name: string, attached: readonly Holder[] | undefined, probes: readonly Probe[] | undefined): string | undefined {
  if (!attached?.some((holder) => holder.name === name && holder.redirected)) return undefined;
  const probed = probes?.some((probe) => probe.symbol === name) ?? false;
  return probed ? "a kprobe with a post-handler" : "something that redirects calls";
}
