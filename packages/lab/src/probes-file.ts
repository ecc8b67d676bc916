/** A file that says what is run in a trial: JSON, of the form below. */
import { access, constants, readFile, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import * as v from "valibot";
import { fail } from "./errors.ts";
import type { GuestFile } from "./initramfs.ts";
import type { Check, Command } from "./trial-report.ts";

const shell = v.pipe(v.string(), v.trim(), v.nonEmpty("is empty"));
const limit = v.optional(v.pipe(v.number(), v.minValue(0.1), v.maxValue(86_400)));
const command = v.union([shell, v.strictObject({ command: shell, limit })]);
const check = v.union([shell, v.strictObject({ command: shell, limit, after: v.optional(v.picklist(["fail", "succeed"])) })]);
const commands = v.optional(v.array(command), []);

const FORM = v.strictObject({
  "suture-probes": v.literal(1),
  files: v.optional(v.array(shell), []),
  setup: commands,
  probes: commands,
  checks: v.optional(v.array(check), []),
  keeps: commands,
  cleanup: commands,
});

const WHERE_COMMANDS_RUN = "/root";

export interface Probes {
  /** In the folder where the commands are run. */
  files: GuestFile[];
  setup: Command[];
  probes: Command[];
  checks: Check[];
  keeps: Command[];
  cleanup: Command[];
}

/** @throws LAB_PROBES_FILE, LAB_FILE_UNREADABLE */
export async function readProbes(file: string): Promise<Probes> {
  let given: unknown;
  try {
    given = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw fail("LAB_PROBES_FILE", `it cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { file }, { cause });
  }
  const parsed = v.safeParse(FORM, given);
  if (!parsed.success) {
    throw fail("LAB_PROBES_FILE", faultOf(parsed.issues[0]), { file });
  }
  const { files, setup, probes, checks, keeps, cleanup } = parsed.output;
  await checkFiles(files, file);
  return {
    files: files.map((path) => ({
      path: `${WHERE_COMMANDS_RUN}/${basename(path)}`,
      content: { file: resolve(dirname(file), path) },
      mode: 0o755,
    })),
    setup: setup.map(commandOf),
    probes: probes.map(commandOf),
    keeps: keeps.map(commandOf),
    cleanup: cleanup.map(commandOf),
    checks: checks.map((given) => ({ ...commandOf(given), after: typeof given === "string" ? undefined : given.after })),
  };
}

type Issue = v.BaseIssue<unknown>;

/** Of a command that is an object: which of its members is wrong. */
function faultOf(issue: Issue): string {
  const inner = issue.issues?.find(({ path }) => path !== undefined);
  const path = [issue, ...(inner === undefined ? [] : [inner])].flatMap((one: Issue) => v.getDotPath(one) ?? []).join(".");
  return `${path === "" ? "the whole" : path}: ${(inner ?? issue).message}`;
}

/** They are read when the machine is made, after the build; what is wrong with them is said before. */
async function checkFiles(files: readonly string[], file: string): Promise<void> {
  const names = files.map((path) => basename(path));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw fail("LAB_PROBES_FILE", `files: two are called ${twice}, and all lie beside each other`, { file });
  for (const path of files) {
    const full = resolve(dirname(file), path);
    const fault = await access(full, constants.R_OK)
      .then(() => stat(full))
      .then(
        (found) => (found.isFile() ? undefined : "is no file"),
        () => "cannot be read",
      );
    if (fault !== undefined) throw fail("LAB_FILE_UNREADABLE", `${full} ${fault}`, { file: full });
  }
}

function commandOf(given: v.InferOutput<typeof command>): Command {
  return typeof given === "string" ? { command: given } : { command: given.command, limitMs: given.limit && given.limit * 1000 };
}
