/** The steps of one trial. */
import { constants } from "node:os";
import { shellWord } from "@suture/files";
import type {
  Blocker,
  EventKind,
  ModuleOrder,
  Outcome,
  ProbeReport,
  ProbeResult,
  StepName,
  TargetModule,
  TrialReport,
} from "@suture/protocol";
import type { Stage } from "@suture/task";
import { fail } from "./errors.ts";
import type { Guest, RunResult } from "./guest.ts";
import { blockerNames, callbackThatFailed, errnoName, readBlockers, readFunctions, readTaint, transitionMs } from "./guest-output.ts";
import { difference, judgeCheck, judgeKeep } from "./judge.ts";
import { lineText } from "./kernel-log.ts";
import { type Limits, limitsFor } from "./limits.ts";
import type { KernelModuleFile } from "./modules.ts";
import { type Command, commandOf, type TrialOptions } from "./trial-report.ts";
import { WorkloadRun } from "./workload/run.ts";

/** How a module says that there is nothing for it here. */
const NO_DEVICE = [constants.errno.ENODEV, constants.errno.ENXIO, constants.errno.EOPNOTSUPP];
export const GUEST_FILE = "/run/livepatch.ko";
export const FAULTS: readonly EventKind[] = ["panic", "oops"];

/** Where the caller does not say how many relocations there are: there are fewer. */
const BYTES_FOR_A_RELOCATION = 200;

/** Thrown within a trial to end it. */
export class TrialEnd {
  readonly outcome: Outcome;
  readonly why: string;

  constructor(outcome: Outcome, why: string) {
    this.outcome = outcome;
    this.why = why;
  }
}

/** What is in the guest already. */
export interface Prepared {
  name: string;
  bytes: number;
  modules: readonly KernelModuleFile[];
}

const GUEST_MODULES = "/lib/suture-trial";

export function pathOf({ name }: KernelModuleFile): string {
  return `${GUEST_MODULES}/${name}.ko`;
}

interface TrialRunParts {
  guest: Guest;
  options: TrialOptions;
  report: TrialReport;
  stage: Stage;
  /** Where the log stood when the trial began. */
  start: number;
  prepared: Prepared;
}

type Column = "before" | "patched" | "after";

/** The steps of one trial, in their order. */
export class TrialRun {
  readonly #guest: Guest;
  readonly #options: TrialOptions;
  readonly #report: TrialReport;
  readonly #stage: Stage;
  readonly #start: number;
  readonly #timeouts: Limits;
  /** Going back is not given up as early as what was asked for, however little that was given. */
  readonly #wayBackMs: number;
  readonly #modules: readonly KernelModuleFile[];
  /** Those of the modules that the livepatch is for, and those that need one. */
  readonly #coming: Set<string>;
  readonly #workload: WorkloadRun | undefined;
  /** Modules that were to come later and could not be taken out before, and why. */
  readonly #stayed = new Map<string, string>();
  /** The module's directory under /sys. */
  readonly #sys: string;
  #step: StepName = "probe before";
  /** Where the log stood when the module was loaded: a trial before this one may have had the same module. */
  loadedAt = 0;
  #outAt: number | undefined;

  constructor({ guest, options, report, stage, start, prepared }: TrialRunParts) {
    this.#guest = guest;
    this.#options = options;
    this.#report = report;
    this.#stage = stage;
    this.#start = start;
    const size = options.size ?? { functions: options.functions?.length ?? 0, relocations: prepared.bytes / BYTES_FOR_A_RELOCATION };
    const limits = limitsFor(size, guest.accelerator);
    this.#timeouts = { ...limits, ...options.timeouts };
    this.#wayBackMs = Math.max(limits.transitionMs, this.#timeouts.transitionMs);
    this.#modules = prepared.modules;
    this.#coming = comingOf(prepared.modules, laterOf(options.patchedModules ?? [], report.moduleOrder));
    const { workload } = options;
    this.#workload =
      workload === undefined ? undefined : new WorkloadRun(workload, (command, timeoutMs) => this.#run(command, timeoutMs), stage);
    report.workload = this.#workload?.report;
    this.#sys = `/sys/kernel/livepatch/${report.name}`;
  }

  async go(): Promise<void> {
    const later = this.#report.moduleOrder !== "before" && this.#coming.size > 0;
    if (this.#modules.length > 0) await this.#loadModules(this.#modules);
    await this.#setUp(false);
    await this.#probe("probe before", "before");
    await this.#checkSteady();
    await this.#work("workload before", "before");
    if (later) {
      await this.#cleanUp();
      await this.#removeModules();
    }
    await this.#workload?.begin();
    await this.#load();
    const patched = await this.#patch();
    await this.#countRounds("load");
    if (later) {
      await this.#loadModules(this.#modules.filter(({ name }) => this.#coming.has(name)));
      await this.#setUp(true);
    }
    if (patched) await this.#work("workload patched", "patched");
    if (patched) await this.#probe("probe patched", "patched");
    await this.#countRounds("patched");
    await this.#disable();
    await this.#unload();
    await this.#countRounds("out");
    await this.#workload?.end();
    this.#outAt = this.#guest.logPosition;
    await this.#work("workload after", "after");
    await this.#probe("probe after", "after");
    await this.#cleanUp();
  }

  /** Where the log stood when the livepatch went in, and when it was out: what stands between is held against the rest. */
  get patchedLog(): { from: number; to: number } {
    return { from: this.loadedAt, to: this.#outAt ?? this.#guest.logPosition };
  }

  async #work(step: StepName, moment: "before" | "patched" | "after"): Promise<void> {
    if (this.#workload === undefined) return;
    this.#begin(step);
    await this.#workload.go(moment);
  }

  async #countRounds(part: "load" | "patched" | "out"): Promise<void> {
    if (this.#workload !== undefined) this.#workload.report.rounds[part] = await this.#workload.count();
  }

  /** Holds what was run against what was asked. */
  judge(): void {
    for (const check of this.#report.checks) Object.assign(check, judgeCheck(check, check.wanted));
    for (const keep of this.#report.keeps) Object.assign(keep, judgeKeep(keep));
    this.#workload?.judge();
    this.#report.targets = this.#targets();
    const broken = this.#judged().filter(({ holds }) => holds === false);
    const [first] = broken;
    if (first === undefined || this.#report.outcome !== "passed") return;
    this.#report.outcome = "failed";
    const more = broken.length === 1 ? "" : ` (and ${broken.length - 1} more)`;
    this.#report.failure = { step: first.step, why: `${first.why ?? ""}${more}`, console: [] };
  }

  #judged(): { holds: boolean | undefined; step: StepName; why: string | undefined }[] {
    const { checks, keeps, workload } = this.#report;
    return [
      ...[...checks, ...keeps].map(({ holds, at, why }) => ({ holds, step: `probe ${at ?? "after"}` as const, why })),
      ...(workload?.parts ?? []).map(({ name, holds, why }) => ({
        holds,
        step: "workload patched" as const,
        why: `${name}: ${why ?? ""}`,
      })),
    ];
  }

  #targets(): TargetModule[] {
    const there = new Set(this.#modules.map(({ name }) => name));
    const came = this.loadedAt > 0 && this.#report.moduleOrder !== "before";
    return [...(this.#options.patchedModules ?? [])].sort().map((module) => {
      const why = this.#report.leftOut.find((other) => other.module === module)?.why;
      if (!there.has(module)) return { module, loaded: "before" as const, why: "it is part of the kernel's image" };
      if (why !== undefined) return { module, loaded: "never" as const, why };
      const stayed = this.#stayed.get(module);
      if (came && this.#coming.has(module) && stayed === undefined) return { module, loaded: "after" as const };
      return { module, loaded: "before" as const, ...(stayed === undefined ? {} : { why: stayed }) };
    });
  }

  /** The first end of a trial is what is reported: what follows is only its consequence. */
  end(outcome: Outcome, why: string): void {
    if (this.#report.failure !== undefined && outcome !== "oopsed" && this.#guest.alive) return;
    this.#report.outcome = outcome;
    this.#report.failure = { step: this.#step, why, console: this.#guest.lastLines(this.#start) };
  }

  async #probe(name: StepName, column: Column): Promise<void> {
    this.#begin(name);
    const { probes, checks = [], keeps = [] } = this.#options;
    const all: (readonly [ProbeReport, Command])[] = [
      ...this.#report.probes.map((report, i) => [report, commandOf(probes[i] ?? "")] as const),
      ...this.#report.checks.map((report, i) => [report, checks[i] ?? report] as const),
      ...this.#report.keeps.map((report, i) => [report, keeps[i] ?? report] as const),
    ];
    for (const [done, [report, command]] of all.entries()) {
      this.#stage.note(`${name}, ${done + 1} of ${all.length}: ${command.command}`);
      report[column] = await this.#command(command);
    }
  }

  async #command({ command, limitMs }: Command): Promise<ProbeResult> {
    const { code, output, truncated, timedOut, ms, guestMs, log, events } = await this.#run(command, limitMs ?? this.#timeouts.probeMs);
    return { code, output, truncated, timedOut, ms, guestMs, log, events };
  }

  /** Whether what is to be kept stays the same by itself. @throws LAB_KEEP_UNSTEADY */
  async #checkSteady(): Promise<void> {
    for (const [i, { command, before }] of this.#report.keeps.entries()) {
      this.#stage.note(`whether it stays the same by itself: ${command}`);
      const again = await this.#command(this.#options.keeps?.[i] ?? { command });
      const why = before === undefined ? undefined : difference(before, again);
      if (why !== undefined) throw fail("LAB_KEEP_UNSTEADY", `'${command}' differs from one run to the next, before any livepatch: ${why}`);
    }
  }

  /** @param again with the livepatch there. @throws LAB_SETUP_FAILED */
  async #setUp(again: boolean): Promise<void> {
    const { setup = [] } = this.#options;
    if (setup.length > 0) this.#begin("set-up");
    for (const each of setup) {
      this.#stage.note(`set-up: ${each.command}`);
      const { code, timedOut, output } = await this.#command(each);
      if (code === 0) continue;
      const why = `set-up '${each.command}' ${timedOut ? "did not end within its time limit" : `ended with ${code}`}: ${output.trim()}`;
      if (again) throw new TrialEnd("failed", `${why} (with the livepatch; before, it worked)`);
      throw fail("LAB_SETUP_FAILED", why);
    }
  }

  /** What fails here says nothing of the livepatch. */
  async #cleanUp(): Promise<void> {
    const { cleanup = [] } = this.#options;
    if (cleanup.length > 0) this.#begin("clean-up");
    for (const each of cleanup) {
      this.#stage.note(`clean-up: ${each.command}`);
      const { code, output } = await this.#command(each);
      if (code !== 0) this.#options.told?.(`clean-up '${each.command}' ended with ${code}: ${output.trim()}`);
    }
  }

  async #loadModules(modules: readonly KernelModuleFile[]): Promise<void> {
    this.#begin("modules");
    const { leftOut } = this.#report;
    for (const [done, module] of modules.entries()) {
      this.#stage.note(`module ${module.name}, ${done + 1} of ${modules.length}`);
      const known = leftOut.findIndex((other) => other.module === module.name);
      const [before] = known >= 0 ? leftOut.splice(known, 1) : [];
      const needed = module.needs.find((name) => leftOut.some((other) => other.module === name));
      if (needed !== undefined) {
        leftOut.push({ module: module.name, why: `it needs ${needed}` });
        continue;
      }
      const script = `grep -q ${shellWord(`^${module.name} `)} /proc/modules || insmod ${shellWord(pathOf(module))}`;
      const loaded = await this.#run(script, this.#timeouts.loadMs);
      if (loaded.code === 0) continue;
      const said = [loaded.output.trim(), ...loaded.log.map(lineText)].join("\n");
      if (NO_DEVICE.includes(loaded.code)) {
        leftOut.push({ module: module.name, why: `it finds no device in the virtual machine (${errnoName(loaded.code)})` });
        continue;
      }
      // One that another has taken the place of, or whose init gives up: the same as without the livepatch.
      if (before !== undefined) {
        leftOut.push(before);
        continue;
      }
      if (this.loadedAt > 0)
        throw new TrialEnd("failed", `module ${module.name} cannot be loaded with the livepatch there; before, it could: ${said}`);
      // One that somebody asked for has to be there.
      if (!this.#isTarget(module))
        throw fail("LAB_MODULE_REFUSED", `module ${module.name} was not loaded:\n${said}`, { symbol: module.name });
      leftOut.push({ module: module.name, why: `the kernel refuses it (${errnoName(loaded.code)}): ${said.split("\n").at(-1) ?? ""}` });
    }
  }

  /** The livepatch is for it, or it is needed by such a one alone. */
  #isTarget({ name }: KernelModuleFile): boolean {
    return !(this.#options.neededModules ?? []).includes(name);
  }

  async #removeModules(): Promise<void> {
    this.#begin("modules out");
    const there = this.#modules.filter(({ name }) => this.#coming.has(name) && !this.#report.leftOut.some(({ module }) => module === name));
    for (const { name } of there.reverse()) {
      this.#stage.note(`taking out ${name}`);
      const removed = await this.#run(`rmmod ${shellWord(name)}`, this.#timeouts.unloadMs);
      if (removed.code === 0) continue;
      const why = `it cannot be taken out, so that it cannot come after the livepatch: ${removed.output.trim()}`;
      if (this.#report.moduleOrder === "after") throw new TrialEnd("incomplete", `module ${name}: ${why}`);
      this.#stayed.set(name, why);
    }
  }

  async #load(): Promise<void> {
    this.#begin("load");
    this.loadedAt = this.#guest.logPosition;
    const before = await this.#run("cat /proc/sys/kernel/tainted", this.#timeouts.probeMs);
    this.#report.taint.before = readTaint(before.output);
    const words = [GUEST_FILE, ...(this.#options.parameters ?? [])].map(shellWord).join(" ");
    this.#stage.note(`insmod, for up to ${Math.round(this.#timeouts.loadMs / 1000)} s`);
    const result = await this.#run(`insmod ${words}`, this.#timeouts.loadMs);
    this.#report.loadMs = result.guestMs;
    if (result.code === 0) return;
    if (result.timedOut) throw new TrialEnd("stuck", `insmod did not end within ${this.#timeouts.loadMs} ms`);
    // busybox's insmod exits with the errno of the system call and ends its message with the text for it.
    const errno = errnoName(result.code);
    const text = result.output.trim().split(": ").at(-1) ?? "";
    const said = [...result.log.map(lineText), ...result.output.trim().split("\n")];
    this.#report.refusal = { errno, text, said };
    throw new TrialEnd("refused", `the kernel refused the module: ${errno}, ${text}${callbackThatFailed(said)}`);
  }

  /** @returns whether every task has moved over to the new code. */
  async #patch(): Promise<boolean> {
    this.#begin("patch");
    const waited = await this.#settle(1, this.#timeouts.transitionMs);
    this.#report.patchMs = waited.ms;
    if (!waited.there) {
      await this.#run(`rmmod ${this.#report.name}`, this.#timeouts.unloadMs);
      throw new TrialEnd("refused", `the module is no livepatch: when it was loaded there was no ${this.#sys}`);
    }
    const listed = await this.#run(`cat /proc/sys/kernel/tainted; cd ${this.#sys} && ls -d */*,*`, this.#timeouts.probeMs);
    this.#report.taint.loaded = readTaint(listed.output);
    this.#report.functions = readFunctions(listed.output);
    const has = (wanted: { object: string; name: string }): boolean =>
      this.#report.functions.some(({ object, name }) => object === wanted.object && name === wanted.name);
    this.#report.missing = (this.#options.functions ?? []).filter((wanted) => !has(wanted));
    if (waited.done) {
      if (this.#report.missing.length > 0)
        this.end("incomplete", `not patched: ${this.#report.missing.map(({ object, name }) => `${object}:${name}`).join(", ")}`);
      return true;
    }
    this.#report.blockers = await this.#blockers(1);
    this.end("stuck", `the transition did not end within ${this.#timeouts.transitionMs} ms: ${blockerNames(this.#report.blockers)}`);
    return false;
  }

  async #disable(): Promise<void> {
    this.#begin("disable");
    const disabled = await this.#run(`echo 0 >${this.#sys}/enabled`, this.#timeouts.unloadMs);
    if (disabled.timedOut) throw new TrialEnd("stuck", `disabling did not end within ${this.#timeouts.unloadMs} ms, in the kernel`);
    if (disabled.code !== 0) throw new TrialEnd("stuck", `the livepatch cannot be disabled: ${disabled.output.trim()}`);
    const waited = await this.#settle(0, this.#wayBackMs);
    this.#report.unpatchMs = waited.ms;
    if (waited.done) return;
    const blockers = await this.#blockers(0);
    // Where the way in did not end, that is the failure that is reported, with those who held it up.
    if (this.#report.outcome !== "stuck") this.#report.blockers = blockers;
    throw new TrialEnd("stuck", `disabling did not end within ${this.#wayBackMs} ms: ${blockerNames(blockers)}`);
  }

  async #unload(): Promise<void> {
    this.#begin("unload");
    if (this.#options.stays === true) {
      const kept = await this.#run(`cat /proc/sys/kernel/tainted /sys/module/${this.#report.name}/refcnt`, this.#timeouts.unloadMs);
      this.#report.taint.after = readTaint(kept.output);
      if (!/^[1-9]\d*\s*$/.test(kept.output.split("\n")[1] ?? ""))
        throw new TrialEnd("failed", "its module is not held, and may be pointed to");
      return;
    }
    // The kernel lets go of the module a moment after the transition has ended.
    const remove = `while ! said=$(rmmod ${this.#report.name} 2>&1); do i=$((i+1)); [ $i = 50 ] && break; usleep 100000; done`;
    const removed = await this.#run(`i=0; ${remove}; cat /proc/sys/kernel/tainted; echo "$said"; [ $i -lt 50 ]`, this.#timeouts.unloadMs);
    this.#report.taint.after = readTaint(removed.output);
    const said = removed.output.split("\n").slice(1).join("\n").trim();
    if (removed.code !== 0) throw new TrialEnd("stuck", `the module cannot be removed: ${said}`);
  }

  /** Waits until no transition is under way. `to` is 1 for patching, 0 for going back. */
  async #settle(to: 0 | 1, limitMs: number): Promise<{ there: boolean; done: boolean; ms: number | undefined }> {
    // When a patch is disabled its directory goes away with the end of the transition.
    const script = `cd ${this.#sys} 2>/dev/null || exit 3; while read -r on <transition && [ "$on" = 1 ]; do usleep 20000; done; true`;
    const waited = await this.#run(script, limitMs);
    const there = waited.code !== 3;
    const done = !waited.timedOut && (to === 0 || there);
    const logged = transitionMs(this.#guest.kernelLog(this.loadedAt), this.#report.name, to);
    return { there, done, ms: done ? (logged ?? waited.guestMs) : undefined };
  }

  async #blockers(to: 0 | 1): Promise<Blocker[]> {
    const script = `cd /proc; for t in [0-9]*/task/[0-9]*; do read -r s <$t/patch_state || continue; [ $s = ${1 - to} ] || continue
read -r n <$t/comm; echo "\${t##*/} $n"; cat $t/stack; done 2>/dev/null; true`;
    return readBlockers((await this.#run(script, this.#timeouts.probeMs)).output);
  }

  #begin(name: StepName): void {
    this.#step = name;
    this.#stage.note(name);
    this.#report.steps.push({ name, ms: 0, guestMs: 0, events: [] });
  }

  /** Runs a command as part of the current step. A fault in the kernel ends the trial. */
  async #run(command: string, timeoutMs: number): Promise<RunResult> {
    const result = await this.#guest.run(command, { timeoutMs });
    const step = this.#report.steps.at(-1);
    if (step !== undefined) {
      step.ms += result.ms;
      step.guestMs += result.guestMs;
      step.events.push(...result.events);
    }
    const fault = result.events.find(({ kind }) => FAULTS.includes(kind));
    if (fault !== undefined) throw new TrialEnd("oopsed", fault.headline);
    return result;
  }
}

/** Of the modules that a livepatch is for those that come after it. */
function laterOf(names: readonly string[], order: ModuleOrder): readonly string[] {
  if (order !== "half") return order === "after" ? names : [];
  return [...names].sort().filter((_, i) => i % 2 === 1);
}

/** The modules of these names, and those that need one of them. */
function comingOf(modules: readonly KernelModuleFile[], names: readonly string[]): Set<string> {
  const coming = new Set<string>();
  for (const { name, needs } of modules) if (names.includes(name) || needs.some((need) => coming.has(need))) coming.add(name);
  return coming;
}
