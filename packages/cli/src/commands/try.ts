import { readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Probes } from "@suture/lab";
import type {
  JudgedReport,
  Manifest,
  ModuleOrder,
  Outcome,
  ProbeReport,
  ProbeResult,
  TargetModule,
  TrialReport,
  WorkloadReport,
} from "@suture/protocol";
import { tryDocument } from "@suture/protocol";
import type { Target } from "@suture/sources";
import { scratchFolder, type Task } from "@suture/task";
import { Option } from "commander";
import type { AddCommand } from "../answer.ts";
import { type Accepted, addAcceptData, addAccepted, addExplain, addHole, addRedirect, addShadow, buildFor } from "../build-for.ts";
import { fail } from "../errors.ts";
import { addKernelOptions, cacheDirectory, isModuleFile, type KernelOptions, MODULE_SOURCE, several, targetOf } from "../kernel-option.ts";
import { countText, fieldsText, headedText, partsText, safeText, tableText, timeText } from "../text.ts";
import { writeWhole } from "../write-file.ts";

interface Options extends KernelOptions, Accepted {
  probe: string[];
  check: string[];
  checkAfter?: "fail" | "succeed";
  keep: string[];
  probes?: string;
  moduleOrder?: "before" | "after" | "both" | "half";
  workload: "auto" | "always" | "never";
  module: string[];
  acceptData?: string[];
  shadow?: string[];
  hole?: string[];
  redirect?: string[];
  unproven?: boolean;
  explain?: boolean;
  keepBuild?: string;
}

export const tryCommand: AddCommand = (program, run) => {
  addRedirect(addHole(addShadow(addExplain(addAcceptData(addAccepted(addKernelOptions(program.command("try"))))))))
    .description("boot the stock kernel in a virtual machine, load a livepatch, take it out again, and report")
    .argument("<patch-or-module...>", "source patches, C files written by hand, or one .ko file")
    .option("--probe <command>", "a shell command, run before, with and after the patch, and shown; may be given again", several, [])
    .option(
      "--check <command>",
      "a reproducer: it must fail before, and succeed with the patch, or the trial has failed; may be given again",
      several,
      [],
    )
    .addOption(
      new Option("--check-after <what>", "what every --check must do when the patch is out again; only told unless given").choices([
        "fail",
        "succeed",
      ]),
    )
    .option("--keep <command>", "must print the same and end the same before, with and after the patch; may be given again", several, [])
    .option("--probes <file>", "a file of probes, checks, keeps, set-up and clean-up commands (docs/trials.md)")
    .option(...MODULE_SOURCE)
    .option(
      "--module <name>",
      "a module of the kernel, or the .ko file of another, to load first; those that the patch is for are loaded anyway",
      several,
      [],
    )
    .addOption(
      new Option(
        "--module-order <order>",
        "the modules that the patch is for are there before it is loaded, or come after it; both: first one, then the other; half: every second one comes after (before unless given; with a workload and several modules, half)",
      ).choices(["before", "after", "both", "half"]),
    )
    .addOption(
      new Option(
        "--workload <which>",
        "what keeps a kernel busy, while the patch goes in and out, its results held against those without; auto: for patches of more than a few functions",
      )
        .choices(["auto", "always", "never"])
        .default("auto"),
    )
    .option(
      "--keep-build <folder>",
      "of a patch, keep both builds of each object, what is taken of it, and decisions.json there; a new or an empty folder",
    )
    .option("--unproven", "try a livepatch that is not proven to fit the kernel")
    .action(
      run(async (task, files: string[], options: Options) => {
        const folder = await scratchFolder("try");
        try {
          const { readProbes } = await import("@suture/lab");
          // A file that cannot be read should not cost a build.
          const probes = withOptions(options.probes === undefined ? undefined : await readProbes(options.probes), options);
          const { module, target, manifest } = await livepatchOf(task, files, options, folder);
          const orders: (ModuleOrder | undefined)[] = options.moduleOrder === "both" ? ["before", "after"] : [options.moduleOrder];
          const reports: TrialReport[] = [];
          for (const order of orders) reports.push(await tryOn(task, target, module, { manifest, options, probes, order }));
          const [first, second] = reports as [TrialReport, TrialReport | undefined];
          const document = second === undefined ? first : { ...first, outcome: worst(first, second), modulesAfter: second };
          const text = reports.map((report) => trialText(report, manifest)).join("\n\n");
          return { document: tryDocument.of(document), text: safeText(text), code: reports.every(isGood) ? 0 : 1 };
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      }),
    );
};

function isGood({ outcome }: TrialReport): boolean {
  return outcome === "passed" || outcome === "warned";
}

/** The outcome of both. */
function worst(first: TrialReport, second: TrialReport): Outcome {
  if (!isGood(first)) return first.outcome;
  return isGood(second) && first.outcome === "warned" ? "warned" : second.outcome;
}

/** What the file has comes first. @throws CLI_USAGE */
function withOptions(file: Probes | undefined, { probe, check, checkAfter, keep }: Options): Probes {
  for (const [option, commands] of Object.entries({ probe, check, keep }))
    if (commands.some((command) => command.trim() === "")) throw fail("CLI_USAGE", `--${option} has an empty command`);
  if (checkAfter !== undefined && check.length + (file?.checks ?? []).length === 0)
    throw fail("CLI_USAGE", "--check-after says what a --check must do, and there is none");
  const given = (commands: readonly string[]) => commands.map((command) => ({ command }));
  return {
    files: file?.files ?? [],
    setup: file?.setup ?? [],
    probes: [...(file?.probes ?? []), ...given(probe)],
    checks: [
      ...(file?.checks ?? []).map((one) => ({ ...one, after: one.after ?? checkAfter })),
      ...given(check).map((one) => ({ ...one, after: checkAfter })),
    ],
    keeps: [...(file?.keeps ?? []), ...given(keep)],
    cleanup: file?.cleanup ?? [],
  };
}

interface Tried {
  module: string;
  target: Target;
  manifest: Manifest | undefined;
}

async function livepatchOf(task: Task, files: readonly string[], options: Options, folder: string): Promise<Tried> {
  const [first = ""] = files;
  if (files.length > 1 && files.some((path) => path.endsWith(".ko"))) throw fail("CLI_USAGE", "a .ko file is tried by itself");
  if (!first.endsWith(".ko")) {
    const isSource = (path: string): boolean => path.endsWith(".c");
    const named = { patches: files.filter((path) => !isSource(path)), from: files.filter(isSource) };
    const { bytes, file, manifest } = await buildFor(
      task,
      named,
      { ...options, looks: { explain: options.explain === true, ...(options.keepBuild === undefined ? {} : { keep: options.keepBuild }) } },
      {
        replace: false,
        unproven: options.unproven === true,
      },
    );
    const module = join(folder, file);
    await writeWhole(module, bytes);
    return { module, target: await targetOf(task, options), manifest };
  }
  if (options.keepBuild !== undefined)
    throw fail("CLI_USAGE", "--keep-build keeps what a livepatch is built of, and a .ko file is not built");
  const { inspect } = await import("@suture/livepatch");
  const { release, livepatch, manifest, faults } = inspect(await readFile(first), first);
  if (!livepatch) throw fail("TRY_REFUSED", "it is a module, but no livepatch", { file: first });
  if (faults.length > 0) throw fail("TRY_REFUSED", faults.join("; "), { file: first });
  if (options.kernel !== undefined && options.kernel !== release)
    throw fail("TRY_OTHER_KERNEL", `it is for ${release}, not for ${options.kernel}`, { file: first });
  if (manifest !== undefined && !manifest.proof.proven && options.unproven !== true)
    throw fail(
      "TRY_REFUSED",
      `it is not proven to fit: ${manifest.proof.reason ?? ""}`,
      { file: first },
      { mend: "Try it with --unproven." },
    );
  const target = await targetOf(task, options.tree === undefined ? { ...options, kernel: release } : options);
  if (target.release !== release) throw fail("TRY_OTHER_KERNEL", `it is for ${release}, the tree for ${target.release}`, { file: first });
  return { module: first, target, manifest };
}

async function tryOn(
  task: Task,
  target: Target,
  module: string,
  {
    manifest,
    options,
    probes,
    order,
  }: { manifest: Manifest | undefined; options: Options; probes: Probes; order: ModuleOrder | undefined },
): Promise<TrialReport> {
  const [{ prepareWorkload, tryModule }, { openImage }, { inspect, moduleName }] = await Promise.all([
    import("@suture/lab"),
    import("@suture/kernel"),
    import("@suture/livepatch"),
  ]);
  const image = await openImage(task, target.image, { cache: join(cacheDirectory(), "images") });
  const { buildId } = image;
  image.close();
  if (manifest !== undefined && manifest.kernel.buildId !== buildId)
    throw fail("TRY_OTHER_KERNEL", `it is for build-id ${manifest.kernel.buildId}; this ${target.release} has ${buildId}`, {
      file: module,
    });
  const live = manifest?.live ?? [];
  const redirects = manifest?.redirects ?? [];
  const patched = [...(manifest?.functions ?? []), ...(manifest?.callbacks ?? []), ...live, ...redirects];
  const owners = [...new Set(patched.map(({ owner }) => owner))].filter((owner) => owner !== "vmlinux");
  const files = options.module.filter(isModuleFile);
  const given = new Set(files.map((file) => moduleName(basename(file).replace(/\.ko(\.\w+)?$/, ""))));
  const names = [...options.module.filter((word) => !isModuleFile(word)), ...owners].filter((name) => !given.has(name));
  const { functions, relocations } = inspect(await readFile(module), module);
  const ofCore = relocations.filter(({ object }) => object !== undefined).reduce((sum, { count }) => sum + count, 0);
  const isBig = functions.length > FEW_FUNCTIONS;
  const workload =
    options.workload === "always" || (options.workload === "auto" && isBig)
      ? await prepareWorkload(task, target.modules, owners)
      : undefined;
  const half = workload !== undefined && owners.length >= SEVERAL_MODULES;
  const report = await tryModule(task, {
    image: target.image,
    module,
    ...probes,
    workload,
    patchedModules: owners,
    neededModules: options.module.map((word) => moduleName(basename(word).replace(/\.ko(\.\w+)?$/, ""))),
    moduleOrder: order ?? (half ? "half" : "before"),
    stays: live.some(({ holds }) => holds) || redirects.length > 0,
    size: { functions: functions.length, relocations: ofCore },
    told: (text) => task.reporter.warn(text),
    functions: (manifest?.functions ?? []).map((f) => ({ object: f.owner, name: f.name })),
    ...(names.length + files.length === 0 && workload === undefined
      ? {}
      : { modules: { tree: target.modules, names: [...new Set([...names, ...files])] } }),
    cache: cacheDirectory(),
  }).finally(async () => {
    if (workload !== undefined) await rm(workload.folder, { recursive: true, force: true });
  });
  for (const { module: name, why } of report.leftOut) {
    const untried = report.functions.filter(({ object }) => object === name).length;
    task.reporter.warn(`module ${name} is left out: ${why}${untried === 0 ? "" : `; ${untried} functions in it were not tried`}`);
  }
  return report;
}

/** A patch of more is not what somebody tries again and again while writing it. */
const FEW_FUNCTIONS = 10;
const SEVERAL_MODULES = 4;

const MS = (ms: number | undefined): string => (ms === undefined ? "" : timeText(ms));

function trialText(report: TrialReport, manifest: Manifest | undefined): string {
  const { failure, refusal, taint } = report;
  return partsText([
    ...report.probes.map(({ command, before, patched, after }) => headedText(`$ ${command}`, columns([before, patched, after]))),
    [...report.checks.map((one) => judgedText("check", one)), ...report.keeps.map((one) => judgedText("keep", one))].join("\n"),
    fieldsText([
      ["outcome", outcomeText(report)],
      ["kernel", `${report.release}, build-id ${report.buildId}, in QEMU under ${report.accelerator.toUpperCase()}`],
      ["livepatch", `${report.name}${manifest === undefined ? "" : manifest.proof.proven ? ", proven" : ", NOT PROVEN"}`],
      ["modules", modulesText(report)],
      ["left out", report.leftOut.map(({ module, why }) => `${module}: ${why}`).join("\n")],
      ["functions", functionsText(report)],
      [
        "insmod",
        report.loadMs === undefined || report.size === undefined ? "" : `${MS(report.loadMs)}, ${report.size.relocations} klp relocations`,
      ],
      ["transition", report.patchMs === undefined ? "" : `${MS(report.patchMs)} in, ${MS(report.unpatchMs)} out`],
      ["taint", [taint.before, taint.loaded, taint.after].map((t) => (t === undefined ? "?" : t.letters || "none")).join(" → ")],
      ["refused", refusal === undefined ? "" : [`${refusal.errno}: ${refusal.text}`, ...refusal.said].join("\n")],
      ["blocked by", report.blockers.map(({ pid, name, stack }) => `${name} (${pid})\n  ${stack.join("\n  ")}`).join("\n")],
      ["warnings", report.events.length === 0 ? "none" : report.events.map(({ headline }) => headline).join("\n")],
    ]),
    report.workload === undefined ? "" : workloadText(report.workload),
    headedText("the console's last lines", (failure?.console ?? []).map((line) => `  ${line}`).join("\n")),
  ]);
}

function modulesText({ targets, moduleOrder }: TrialReport): string {
  const count = (loaded: TargetModule["loaded"]): number => targets.filter((one) => one.loaded === loaded).length;
  if (moduleOrder === "before") return "";
  if (moduleOrder === "after") return "they came after the livepatch";
  const stayed = targets
    .filter(({ loaded, why }) => loaded === "before" && why !== undefined)
    .map(({ module, why }) => `${module}: ${why ?? ""}`);
  return [
    `${count("before")} were there before the livepatch, ${count("after")} came after it, ${count("never")} were not loaded`,
    ...stayed,
  ].join("\n");
}

function functionsText({ functions }: TrialReport): string {
  if (functions.length > FUNCTIONS_SHOWN)
    return `${functions.length} of ${countText(new Set(functions.map(({ object }) => object)).size, "owner")} (--json has all)`;
  return functions.map(({ object, name, sympos }) => `${object}:${name}${sympos === 0 ? "" : `,${sympos}`}`).join("\n");
}

const FUNCTIONS_SHOWN = 40;

function workloadText({ parts, lacks, rounds, newLines }: WorkloadReport): string {
  const rows = parts.map(({ name, before, patched, after, holds, why }) => [
    name,
    ...[before, patched, after].map((run) => (run === undefined ? "" : MS(run.guestMs))),
    holds === undefined ? `not judged: ${why ?? ""}` : holds ? "the same" : `FAILED: ${why ?? ""}`,
  ]);
  return partsText([
    headedText("workload", tableText(["part", "before", "patched", "after", "result"], rows)),
    `in the background ${rounds.load} parts while it went in, ${rounds.patched} with it, ${rounds.out} while it went out`,
    headedText("not done", lacks.map(({ what, why }) => `  ${what}: ${why}`).join("\n")),
    headedText("said by the kernel only with the livepatch", newLines.map((line) => `  ${line}`).join("\n")),
  ]);
}

function outcomeText({ outcome, failure }: TrialReport): string {
  if (failure === undefined) return outcome;
  // What was judged says by itself when it was seen.
  return outcome === "failed" ? `failed: ${failure.why}` : `${outcome} (${failure.step}): ${failure.why}`;
}

function judgedText(kind: "check" | "keep", { command, holds, why, ...runs }: JudgedReport): string {
  if (holds === false) return `FAILED      ${why ?? ""}`;
  const [verdict, said] = holds === true ? ["holds", endingsText(runs)] : ["not judged", why ?? ""];
  return `${verdict.padEnd(12)}${kind} '${command}': ${said}`;
}

function endingsText({ before, patched, after }: Omit<ProbeReport, "command">): string {
  const runs = [before, patched, after].map(
    (run, i) => `${run === undefined ? "not run" : run.timedOut ? "no end" : run.code} ${NAMES[i]}`,
  );
  return `exit code ${runs.join(", ")}`;
}

const NAMES = ["before", "patched", "after"];

/** The three outputs of a probe side by side; one under the other where lines are long. */
function columns(results: readonly (ProbeResult | undefined)[]): string {
  const texts = results.map((result) => (result === undefined ? ["(not run)"] : outputLines(result)));
  const widths = texts.map((lines, i) => Math.max(...lines.map((line) => line.length), NAMES[i]?.length ?? 0));
  if (widths.reduce((sum, width) => sum + width + 3, 0) > 150)
    return texts.map((lines, i) => `  ${NAMES[i]}\n${lines.map((line) => `    ${line}`).join("\n")}`).join("\n");
  const height = Math.max(...texts.map((lines) => lines.length));
  const row = (cells: readonly string[]): string => `  ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")}`.trimEnd();
  return [row(NAMES), ...Array.from({ length: height }, (_, line) => row(texts.map((lines) => lines[line] ?? "")))].join("\n");
}

function outputLines({ output, code, timedOut, truncated }: ProbeResult): string[] {
  const lines = output.replace(/\n$/, "").replaceAll("\t", "  ").split("\n");
  if (truncated) lines.push("(cut off)");
  if (timedOut) lines.push("(did not end)");
  else if (code !== 0) lines.push(`(exit code ${code})`);
  return lines;
}
