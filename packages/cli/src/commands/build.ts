import type { Livepatch } from "@suture/pipeline";
import { buildDocument, byFunction } from "@suture/protocol";
import type { Task } from "@suture/task";
import type { AddCommand } from "../answer.ts";
import { type Accepted, addAcceptData, addAccepted, addExplain, addHole, addRedirect, addShadow, buildFor } from "../build-for.ts";
import { fail } from "../errors.ts";
import { addKernelOptions, addModuleOptions, checkModuleOptions, type KernelOptions } from "../kernel-option.ts";
import { holesText, liveText, membersText, redirectsText, stackTypesText, successorsText } from "../means-text.ts";
import { bytesText, countText, fieldsText, headedText, partsText, tableText } from "../text.ts";
import { checkWritable, writeWhole } from "../write-file.ts";

interface Options extends KernelOptions, Accepted {
  from?: string[];
  upon?: string;
  state?: string[];
  rebuild?: string[];
  name?: string;
  output?: string;
  replace: boolean;
  acceptData?: string[];
  shadow?: string[];
  hole?: string[];
  redirect?: string[];
  unproven?: boolean;
  jobs?: string;
  explain?: boolean;
  keep?: string;
}

export const buildCommand: AddCommand = (program, run) => {
  addRedirect(addHole(addShadow(addExplain(addAcceptData(addAccepted(addModuleOptions(addKernelOptions(program.command("build")))))))))
    .description("build a livepatch out of source patches, for one kernel")
    .argument("[patch...]", "unified diffs (git format-patch, git diff, diff -u), applied in this order")
    .option(
      "--rebuild <what...>",
      "replace functions by themselves, all of OBJECT (fs/pipe.o), OBJECT:FUNCTION, or FUNCTION; with or without patches",
    )
    .option("--from <source...>", "C files, or folders of them, that say by <suture.h> what they replace (docs/authoring.md)")
    .option("--upon <module>", "a livepatch of ours: the new one contains all of it, and replaces it")
    .option(
      "--state <id...>",
      "what the livepatch does to the system, ID or ID:VERSION: the kernel lets none replace it that does not know it",
    )
    .option("--name <name>", "the livepatch's name; made out of the first patch's file name unless given")
    .option("--output <file>", "where the module goes; livepatch-NAME.ko unless given")
    .option("--replace", "loading it takes all other livepatches out", false)
    .option("--unproven", "build although an object is not shown to be what the kernel runs: for experts, and marked so")
    .option("--keep <folder>", "keep both builds of each object, what is taken of it, and decisions.json there; a new or an empty folder")
    .option("--jobs <count>", "compilers at a time; as many as there are processors unless given")
    .action(
      run(async (task, files: string[], options: Options) => {
        checkModuleOptions(options);
        await checkWritable(options.output ?? "livepatch.ko");
        const livepatch = await build(task, files, options);
        const file = options.output ?? livepatch.file;
        await writeWhole(file, livepatch.bytes);
        return {
          document: buildDocument.of({ file, size: livepatch.bytes.length, manifest: livepatch.manifest }),
          text: buildText(livepatch, file),
        };
      }),
    );
};

function build(task: Task, patches: readonly string[], options: Options): Promise<Livepatch> {
  const { from, upon, rebuild, name, replace } = options;
  if (patches.length === 0 && rebuild === undefined && from === undefined)
    throw fail("CLI_USAGE", "a patch is needed, or --from, or --rebuild");
  return buildFor(
    task,
    { patches, from, upon },
    { ...options, looks: options },
    {
      rebuild,
      name,
      replace,
      states: options.state?.map(stateOf),
      unproven: options.unproven === true,
      jobs: jobsOf(options.jobs),
    },
  );
}

/** 7 or 7:2 */
function stateOf(text: string): { id: number; version: number } {
  const [, id, version = "0"] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
  if (id === undefined) throw fail("CLI_USAGE", `--state ${text} is no number, or number:version`);
  return { id: Number(id), version: Number(version) };
}

function jobsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const jobs = Number(text);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 1024) throw fail("CLI_USAGE", `--jobs ${text} is no number of compilers`);
  return jobs;
}

function buildText({ bytes, manifest }: Livepatch, file: string): string {
  const { proof } = manifest;
  return partsText([
    headedText(
      `${countText(manifest.functions.length, "function")} replaced`,
      tableText(
        ["function", "in", "size", "why"],
        manifest.functions.map((f) => [f.name, f.owner, `${f.sizeBefore} → ${f.size}`, f.why]),
      ),
    ),
    headedText(
      "callbacks",
      tableText(
        ["runs", "function", "in"],
        byFunction(manifest.callbacks ?? []).map(({ kind, name, owners }) => [kind, name, owners.join(", ")]),
      ),
    ),
    headedText("replaced by what the fix has in their place", successorsText(manifest.successors ?? [])),
    headedText("structures that lie otherwise, on the stacks of replaced functions only", stackTypesText(manifest.stackTypes ?? [])),
    headedText("redirected by a probe of the kernel", redirectsText(manifest.redirects ?? [])),
    headedText("changed in the kernel's data", liveText(manifest.live ?? [])),
    headedText("kept beside the objects of their structures", membersText(manifest.members ?? [])),
    headedText("put where their structures had padding", holesText(manifest.holes ?? [])),
    headedText(
      "added",
      tableText(
        ["name", "kind", "size"],
        manifest.added.map((a) => [a.name, a.kind, bytesText(a.size)]),
      ),
    ),
    headedText(
      "left as it is",
      tableText(
        ["name", "why"],
        manifest.skipped.map((s) => [s.name, s.why]),
      ),
    ),
    headedText(
      "asked for, and left as it is",
      tableText(
        ["function", "in", "why"],
        (manifest.notTaken ?? []).map((left) => [left.name, left.object, left.why]),
      ),
    ),
    fieldsText([
      ["module", `${file}, ${bytesText(bytes.length)}`],
      ["kernel", `${manifest.kernel.release}, build-id ${manifest.kernel.buildId}`],
      ["proof", proof.proven ? provenText(proof.functions) : `NOT PROVEN: ${proof.reason ?? ""}`],
    ]),
  ]);
}

/** Callbacks alone may name no function or variable of the kernel's own. */
function provenText(functions: number): string {
  return functions === 0 ? "none was needed" : `${functions} functions of the patched objects are what the kernel runs`;
}
