import { readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Target } from "@suture/build";
import type { ProbeResult, TrialReport } from "@suture/lab";
import type { Manifest } from "@suture/livepatch";
import { scratchFolder, type Task } from "@suture/task";
import type { AddCommand } from "../answer.ts";
import { buildFor } from "../build-for.ts";
import { tryDocument } from "../documents/trial.ts";
import { fail } from "../errors.ts";
import { addKernelOptions, cacheDirectory, isModuleFile, type KernelOptions, MODULE_SOURCE, several, targetOf } from "../kernel-option.ts";
import { fieldsText, headedText, partsText, safeText, timeText } from "../text.ts";
import { writeWhole } from "../write-file.ts";

interface Options extends KernelOptions {
  probe: string[];
  module: string[];
  unproven?: boolean;
}

export const tryCommand: AddCommand = (program, run) => {
  addKernelOptions(program.command("try"))
    .description("boot the stock kernel in a virtual machine, load a livepatch, take it out again, and report")
    .argument("<patch-or-module...>", "source patches, C files written by hand, or one .ko file")
    .option("--probe <command>", "a shell command, run before, with and after the patch; may be given again", several, [])
    .option(...MODULE_SOURCE)
    .option(
      "--module <name>",
      "a module of the kernel, or the .ko file of another, to load first; those that the patch is for are loaded anyway",
      several,
      [],
    )
    .option("--unproven", "try a livepatch that is not proven to fit the kernel")
    .action(
      run(async (task, files: string[], options: Options) => {
        const folder = await scratchFolder("try");
        try {
          const { module, target, manifest } = await livepatchOf(task, files, options, folder);
          const report = await tryOn(task, target, module, manifest, options);
          const good = report.outcome === "passed" || report.outcome === "warned";
          return { document: tryDocument.of(report), text: safeText(trialText(report, manifest)), code: good ? 0 : 1 };
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      }),
    );
};

interface Tried {
  module: string;
  target: Target;
  manifest: Manifest | undefined;
}

async function livepatchOf(task: Task, files: readonly string[], options: Options, folder: string): Promise<Tried> {
  const [first = ""] = files;
  if (!first.endsWith(".ko")) {
    const isSource = (path: string): boolean => path.endsWith(".c");
    const named = { patches: files.filter((path) => !isSource(path)), from: files.filter(isSource) };
    const { bytes, file, manifest } = await buildFor(task, named, options, {
      replace: false,
      unproven: options.unproven === true,
    });
    const module = join(folder, file);
    await writeWhole(module, bytes);
    return { module, target: await targetOf(task, options), manifest };
  }
  if (files.length > 1) throw fail("CLI_USAGE", "one .ko file can be tried at a time");
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

async function tryOn(task: Task, target: Target, module: string, manifest: Manifest | undefined, options: Options): Promise<TrialReport> {
  const [{ tryModule }, { openImage }, { moduleName }] = await Promise.all([
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
  const patched = [...(manifest?.functions ?? []), ...(manifest?.callbacks ?? [])];
  const owners = [...new Set(patched.map(({ owner }) => owner))].filter((owner) => owner !== "vmlinux");
  const files = options.module.filter(isModuleFile);
  const given = new Set(files.map((file) => moduleName(basename(file).replace(/\.ko(\.\w+)?$/, ""))));
  const names = [...options.module.filter((word) => !isModuleFile(word)), ...owners].filter((name) => !given.has(name));
  return tryModule(task, {
    image: target.image,
    module,
    probes: options.probe,
    functions: (manifest?.functions ?? []).map((f) => ({ object: f.owner, name: f.name })),
    ...(names.length + files.length === 0 ? {} : { modules: { tree: target.modules, names: [...new Set([...names, ...files])] } }),
    cache: cacheDirectory(),
  });
}

const MS = (ms: number | undefined): string => (ms === undefined ? "" : timeText(ms));

function trialText(report: TrialReport, manifest: Manifest | undefined): string {
  const { failure, refusal, taint } = report;
  return partsText([
    ...report.probes.map(({ command, before, patched, after }) => headedText(`$ ${command}`, columns([before, patched, after]))),
    fieldsText([
      ["outcome", failure === undefined ? report.outcome : `${report.outcome} (${failure.step}): ${failure.why}`],
      ["kernel", `${report.release}, build-id ${report.buildId}, in QEMU under ${report.accelerator.toUpperCase()}`],
      ["livepatch", `${report.name}${manifest === undefined ? "" : manifest.proof.proven ? ", proven" : ", NOT PROVEN"}`],
      ["functions", report.functions.map(({ object, name, sympos }) => `${object}:${name}${sympos === 0 ? "" : `,${sympos}`}`).join("\n")],
      ["transition", report.patchMs === undefined ? "" : `${MS(report.patchMs)} in, ${MS(report.unpatchMs)} out`],
      ["taint", [taint.before, taint.loaded, taint.after].map((t) => (t === undefined ? "?" : t.letters || "none")).join(" → ")],
      ["refused", refusal === undefined ? "" : [`${refusal.errno}: ${refusal.text}`, ...refusal.said].join("\n")],
      ["blocked by", report.blockers.map(({ pid, name, stack }) => `${name} (${pid})\n  ${stack.join("\n  ")}`).join("\n")],
      ["warnings", report.events.length === 0 ? "none" : report.events.map(({ headline }) => headline).join("\n")],
    ]),
    headedText("the console's last lines", (failure?.console ?? []).map((line) => `  ${line}`).join("\n")),
  ]);
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
