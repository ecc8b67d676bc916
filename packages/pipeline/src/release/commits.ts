/** Commits of a range of a git repository, with what each changes. The repository is somebody's: nothing of its configuration is run. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "@suture/errors";
import { run, type Task } from "@suture/task";
import { fail } from "../errors.ts";
import type { FileChange } from "../patch/change.ts";
import { scan } from "../patch/scan.ts";

export interface Range {
  folder: string;
  /** A..B */
  range: string;
}

export interface Commit {
  id: string;
  subject: string;
  message: string;
  changes: FileChange[];
  /** Where its difference cannot be read: the files that it names, and why. */
  unread: { paths: string[]; refusal: SutureError } | undefined;
}

const RANGE = /^[A-Za-z0-9_][\w./~^@{}+-]*?\.\.[A-Za-z0-9_][\w./~^@{}+-]*$/;

/** Oldest first, along first parents: a merge is what it brings as a whole. @throws CATCHUP_RANGE, PATCH_UNREADABLE */
export async function commitsOf(task: Task, { folder, range }: Range): Promise<Commit[]> {
  const where = { file: folder };
  if (!RANGE.test(range)) throw fail("CATCHUP_RANGE", `"${range}" is no range of the form A..B`, where);
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw fail("CATCHUP_RANGE", "there is no such folder", where);
  const [from = "", to = ""] = range.split("..");
  const [first, last] = [await commitAt(task, folder, from), await commitAt(task, folder, to)];
  await asked(task, folder, ["merge-base", "--is-ancestor", first, last], `${to} does not come after ${from}`);
  const options = ["--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--no-show-signature", "--full-index", "-U3"];
  const format = "--format=%x01%H%x00%s%x00%B%x00";
  const text = await asked(
    task,
    folder,
    ["log", "--reverse", "--first-parent", "-m", "-p", "--src-prefix=a/", "--dst-prefix=b/", ...options, format, `${first}..${last}`, "--"],
    "its commits cannot be read",
  );
  const commits: Commit[] = [];
  // No line of a difference begins so.
  for (const part of `\n${text}`.split("\n\x01").slice(1)) {
    const [id = "", subject = "", message = "", ...rest] = part.split("\x00");
    const lines = rest.join("\x00").split("\n");
    const short = id.slice(0, 12);
    const placeOf = (line: number): string => `line ${line + 1} of ${short}`;
    const commit = { id, subject: utf8(subject), message: utf8(message) };
    try {
      const { changes } = scan({ lines, mail: false, begins: undefined, subject, placeOf, charset: undefined }, short);
      commits.push({ ...commit, changes, unread: undefined });
    } catch (error) {
      if (!(error instanceof SutureError)) throw error;
      const paths = lines.flatMap((line) => /^diff --git a\/(\S+) b\/\1$/.exec(line)?.[1] ?? []);
      commits.push({ ...commit, changes: [], unread: { paths, refusal: error } });
    }
  }
  return commits;
}

async function commitAt(task: Task, folder: string, name: string): Promise<string> {
  return (
    await asked(task, folder, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`], `it has no commit ${name}`)
  ).trim();
}

/** As latin1, since sources are in no one encoding. */
async function asked(task: Task, folder: string, words: readonly string[], why: string): Promise<string> {
  const safe = [
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "diff.external=",
    "-c",
    "safe.directory=*",
    "--no-pager",
  ];
  const env = { GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_OPTIONAL_LOCKS: "0" };
  try {
    return (await run(task, ["git", ...safe, ...words], { cwd: join(folder), env, encoding: "latin1" })).stdout;
  } catch (error) {
    if (!(error instanceof SutureError) || !error.code.startsWith("COMMAND_")) throw error;
    throw fail("CATCHUP_RANGE", why, { file: folder }, { cause: error });
  }
}

function utf8(text: string): string {
  return Buffer.from(text, "latin1").toString("utf8");
}
