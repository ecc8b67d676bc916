/**
 * What the kernel's build makes besides the objects of C files, and of which files: assembly, linker scripts, constants for assembly, programs
 * that run while the kernel is built, and what such programs and scripts write. Read out of what make printed, like `commands.ts`: each step is a
 * line `set -e; echo '  COMMAND'; trap 'rm -f OUTPUT; ...`.
 */
import { normalize } from "node:path";
import { archs } from "@suture/arch";
import * as v from "valibot";

/** How a step reads its source: by the C preprocessor, or by a program of its own. */
const KINDS = ["assembly", "linker script", "constants for assembly", "program of the build", "generated file"] as const;

export type StepKind = (typeof KINDS)[number];

/** As it is kept. */
export const PRINTED = v.object({
  steps: v.array(
    v.object({
      kind: v.picklist(KINDS),
      /** Path in the tree. */
      output: v.string(),
      /** For the preprocessor: the command that reads `source`, without what comes after it. */
      command: v.string(),
      source: v.string(),
      /** The files that a program reads, as far as its command names them. */
      inputs: v.array(v.string()),
    }),
  ),
  /** Programs that the kernel's image carries as data: what is linked of the objects, and the objects. */
  programs: v.array(v.tuple([v.string(), v.array(v.string())])),
});

export type Printed = v.InferOutput<typeof PRINTED>;
export type Step = Printed["steps"][number];
export type OtherProgram = Printed["programs"][number];

/** Links, archives, lists and checks: they read no source. */
const LINK_TOOLS = ["objtool", "check-local-export", "modpost", ...archs.flatMap(({ kbuild }) => kbuild.linkTools)];
const NO_READER = new RegExp(
  `^(?:rm|printf|cat|if|true|:|\\{|\\S*/?(?:${LINK_TOOLS.join("|")})|(?:\\S*/)?(?:ld|ar|strip|objcopy|nm|objdump))(?:\\s|$)`,
);

const PREPROCESSED: readonly (readonly [StepKind, RegExp])[] = [
  ["assembly", /\s-c -o (\S+\.o) (\S+\.S)(?=\s|$)/],
  ["linker script", /\s-o (\S+) (\S+\.lds\.S)(?=\s|$)/],
  ["constants for assembly", /\s-S -o (\S+\.s) (\S+\.c)(?=\s|$)/],
  ["program of the build", /\s-o (\S+[^.\s]{3}) (\S+\.c)(?=\s|$)/],
  ["program of the build", /\s-c -o (scripts\/\S+\.o) (\S+\.c)(?=\s|$)/],
];

export function stepsOf(printed: string): Printed {
  const steps = new Map<string, Step>();
  const programs: OtherProgram[] = [];
  for (const line of printed.split("\n")) {
    const [, shown = "", output = ""] =
      /^set -e;\s+(?:echo '# [^']*';\s+)?echo '\s*((?:[^']|'\\'')*)';\s+trap 'rm -f ([^;\s]+);/.exec(line) ?? [];
    if (output === "" || steps.has(output)) continue;
    const command = shown.replaceAll("'\\''", "'").trim();
    const program = programOf(command, output);
    if (program !== undefined) programs.push(program);
    else {
      const step = stepOf(command, output);
      if (step !== undefined) steps.set(output, step);
    }
  }
  return { steps: [...steps.values()], programs };
}

function stepOf(command: string, output: string): Step | undefined {
  const compiler = /^\S*(?:gcc|cc|clang)(?:-\d+)?\s/.test(command);
  if (compiler) {
    const [first = ""] = command.split(/\s*;\s*/);
    for (const [kind, form] of PREPROCESSED) {
      const [, made, source] = form.exec(first) ?? [];
      if (made === output && source !== undefined) return { kind, output, command: first, source: normalize(source), inputs: [] };
    }
    return undefined;
  }
  if (NO_READER.test(command) || /\.(?:log|cmd|mod|order|symvers|a|ko|chk)$/.test(output)) return undefined;
  const inputs = [...new Set((command.match(/[\w.+/-]*[\w+-]\/[\w.+/-]+|[\w+-]+\.\w+/g) ?? []).map((word) => normalize(word)))];
  // `..` behind a link of a view would lead out of it.
  const plain = command.replace(/[^\s<>'"]*\/\.\.\/[^\s<>'"]*/g, (word) => normalize(word));
  return { kind: "generated file", output, command: plain, source: "", inputs: inputs.filter((input) => input !== output) };
}

/** What is linked to something that is no part of the kernel or a module, or taken apart for it. */
function programOf(command: string, output: string): OtherProgram | undefined {
  const objects = [...(command.split(/&&|;/)[0]?.matchAll(/\s(\S+\.o)(?=\s|$)/g) ?? [])]
    .map(([, object = ""]) => normalize(object))
    .filter((object) => object !== output);
  if (objects.length === 0) return undefined;
  if (/^(?:\S*\/)?ld\s/.test(command) && !/\.(?:o|ko|a)$/.test(output) && !/^vmlinux|^\.tmp_vmlinux/.test(output)) return [output, objects];
  if (/^(?:\S*\/)?(?:strip|objcopy)\s/.test(command) && /\.stub\.o$/.test(output))
    return [output.slice(0, output.lastIndexOf("/")), objects];
  return undefined;
}

/** The folders that a command's compiler looks in for what is included. */
export function foldersOf(command: string): string[] {
  return [...command.matchAll(/\s-(?:I|iquote|isystem|idirafter)\s*(\S+)/g)].map(([, folder = ""]) => normalize(folder).replace(/\/$/, ""));
}
