/** Before anything goes in: everything that would make the load wrong, or the kernel refuse it, as far as it can be known. */
import { SutureError } from "@suture/errors";
import { fail } from "../errors.ts";
import { attachedFunctions, type Holder, kprobes, type Probe } from "../machine/holders.ts";
import { symbolCounts } from "../machine/kallsyms.ts";
import { mayLoadModules, modulesDisabled, runningKernel, signaturesEnforced } from "../machine/kernel.ts";
import { hasLivepatchCore, type LivePatch, livePatches, loadedModules } from "../machine/livepatches.ts";
import { lineOf, type Machine } from "../machine/machine.ts";
import type { ModuleFile } from "../module/module-file.ts";
import { checkPatchedModules } from "./patched-modules.ts";
import { stateConflict } from "./states.ts";

export interface Finding {
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
 * All findings, in the order in which they matter. Nothing is changed.
 * @param again its module may be in the kernel without effect: it is taken out before it is loaded
 */
export async function checkLoad(machine: Machine, module: ModuleFile, options: CheckOptions, again = false): Promise<Finding[]> {
  return [
    await checkRights(machine),
    await checkModulesAllowed(machine),
    await checkCore(machine),
    await checkKernel(machine, module),
    checkProof(module, options),
    await checkPresence(machine, module, again),
    await checkTransition(machine),
    await checkReplace(machine, module, options),
    await checkStates(machine, module),
    await checkSignature(machine, module),
    await checkFtrace(machine),
    await checkModules(machine, module),
    await checkFunctions(machine, module),
    await checkHolders(machine, module, options),
  ];
}

export function firstRefusal(findings: readonly Finding[]): SutureError | undefined {
  return findings.find(({ refusal }) => refusal !== undefined)?.refusal;
}

const good = (what: string, found: string): Finding => ({ what, found, outcome: "good" });
const unknown = (what: string, found: string): Finding => ({ what, found, outcome: "unknown" });
const refused = (what: string, refusal: SutureError): Finding => ({ what, found: refusal.message, outcome: "refused", refusal });

async function checkRights(machine: Machine): Promise<Finding> {
  if (await mayLoadModules(machine)) return good("rights", "modules may be loaded");
  return refused("rights", fail("HOST_NOT_ROOT", "this process may not load modules"));
}

async function checkModulesAllowed(machine: Machine): Promise<Finding> {
  if (!(await modulesDisabled(machine))) return good("modules", "not switched off");
  return refused("modules", fail("HOST_MODULES_DISABLED", "kernel.modules_disabled is 1"));
}

async function checkCore(machine: Machine): Promise<Finding> {
  if (await hasLivepatchCore(machine)) return good("livepatch core", "present");
  return refused("livepatch core", fail("HOST_NO_LIVEPATCH", "/sys/kernel/livepatch is not there"));
}

async function checkKernel(machine: Machine, module: ModuleFile): Promise<Finding> {
  const { release, buildId } = await runningKernel(machine);
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

function checkProof({ file, manifest }: ModuleFile, options: CheckOptions): Finding {
  if (manifest?.proof.proven === true) return good("proof", "its originals are what the kernel runs");
  const why = manifest === undefined ? "Suture did not build it" : `it is not proven to fit: ${manifest.proof.reason ?? "not tried"}`;
  return options.unproven
    ? unknown("proof", `${why}; as asked, it is loaded all the same`)
    : refused("proof", fail("HOST_UNPROVEN", why, { file }));
}

async function checkPresence(machine: Machine, { name, file }: ModuleFile, again: boolean): Promise<Finding> {
  const [patches, modules] = await Promise.all([livePatches(machine), loadedModules(machine)]);
  const what = "not loaded yet";
  const patch = patches.find((p) => p.name === name);
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
  if (!again && modules.some((m) => m.name === name))
    return refused(
      what,
      fail("HOST_ALREADY_LOADED", `the module ${name} is in the kernel, without effect`, { file }, { mend: `suture unload ${name}` }),
    );
  return good(what, `no ${name} in the kernel`);
}

async function checkTransition(machine: Machine): Promise<Finding> {
  const moving = (await livePatches(machine)).find((patch) => patch.transition !== undefined);
  if (moving === undefined) return good("transitions", "none under way");
  return refused("transitions", fail("HOST_TRANSITION", `${moving.name} is on its way to being ${moving.transition}`));
}

async function checkReplace(machine: Machine, { file, manifest }: ModuleFile, options: CheckOptions): Promise<Finding> {
  const what = "other livepatches";
  const others = (await livePatches(machine)).map(({ name }) => name);
  const list = others.length === 0 ? "none" : others.join(", ");
  if (manifest === undefined && others.length > 0)
    return unknown(what, `${list}; only Suture's own livepatches say beforehand whether they replace them`);
  if (options.replace && manifest?.replace === false)
    return refused(what, fail("HOST_NOT_REPLACING", "it would be added to the others, not replace them", { file }));
  if (!options.replace && manifest?.replace === true && others.length > 0)
    return refused(what, fail("HOST_REPLACES", `it replaces all others: ${list}`, { file }));
  return good(what, options.replace ? `to be replaced: ${list}` : list);
}

async function checkStates(machine: Machine, module: ModuleFile): Promise<Finding> {
  const { refusal, unknown: notKnown } = await stateConflict(machine, module);
  if (refusal !== undefined) return refused("states", refusal);
  return notKnown.length === 0 ? good("states", "those of the loaded livepatches are known to it") : unknown("states", notKnown.join("; "));
}

async function checkSignature(machine: Machine, { file, signed }: ModuleFile): Promise<Finding> {
  const why = await signaturesEnforced(machine);
  if (why === undefined) return good("signature", "not asked for");
  return signed ? good("signature", "there is one; the kernel checks it") : refused("signature", fail("HOST_UNSIGNED", why, { file }));
}

async function checkFtrace(machine: Machine): Promise<Finding> {
  const value = await lineOf(machine, "/proc/sys/kernel/ftrace_enabled");
  if (value === "1") return good("ftrace", "on");
  return refused(
    "ftrace",
    fail("HOST_FTRACE_OFF", value === undefined ? "this kernel has no ftrace" : `kernel.ftrace_enabled is ${value}`),
  );
}

async function checkModules(machine: Machine, module: ModuleFile): Promise<Finding> {
  const what = "patched modules";
  try {
    const { same, absent } = await checkPatchedModules(machine, module);
    if (same.length + absent.length === 0) return good(what, "none");
    const later = absent.length === 0 ? "" : `not loaded, so not compared: ${absent.join(", ")}`;
    return good(what, [same.join(", "), later].filter((text) => text !== "").join("; "));
  } catch (error) {
    if (error instanceof SutureError) return refused(what, error);
    throw error;
  }
}

async function checkFunctions(machine: Machine, { file, manifest, inspection }: ModuleFile): Promise<Finding> {
  const what = "functions";
  const functions = manifest?.functions ?? inspection.functions.map(({ name, sympos }) => ({ name, sympos, owner: undefined }));
  const counts = await symbolCounts(machine, new Set(functions.map(({ name }) => name)));
  if (counts === undefined) return unknown(what, "/proc/kallsyms cannot be read");
  const loaded = new Set((await loadedModules(machine)).map(({ name }) => name));
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

async function checkHolders(machine: Machine, module: ModuleFile, options: CheckOptions): Promise<Finding> {
  const what = "holders";
  const { file } = module;
  const [patches, attached, probes] = await Promise.all([livePatches(machine), attachedFunctions(machine), kprobes(machine)]);
  const notes: string[] = [];
  for (const { name } of module.manifest?.functions ?? module.inspection.functions) {
    const owner = ownerOf(patches, name);
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

function ownerOf(patches: readonly LivePatch[], name: string): string | undefined {
  return patches.findLast((patch) => patch.objects.some(({ functions }) => functions.some((f) => f.name === name)))?.name;
}

function holderOf(name: string, attached: readonly Holder[] | undefined, probes: readonly Probe[] | undefined): string | undefined {
  if (!attached?.some((holder) => holder.name === name && holder.redirected)) return undefined;
  const probed = probes?.some((probe) => probe.symbol === name) ?? false;
  return probed ? "a kprobe with a post-handler" : "something that redirects calls";
}
