import { setFlagsFromString } from "node:v8";
import { type AccountSources, accountOf, summaryOf } from "@suture/account";
import { SutureError } from "@suture/errors";
import { type CaughtUp, catchUp, commitUnits, packageUnits, readPredecessor } from "@suture/pipeline";
import { catchUpDocument, UNIT_STATES, type UnitState, writeReport } from "@suture/protocol";
import { ownSource, releaseSource } from "@suture/sources";
import {
  type AccountOptions,
  accountSources,
  accountText,
  addAccountOptions,
  CHANGELOG,
  checkAccountFiles,
  writeAccount,
} from "../account-for.ts";
import type { AddCommand } from "../answer.ts";
import { type Accepted, addAccepted } from "../build-for.ts";
import { fail } from "../errors.ts";
import { addKernelOptions, cacheDirectory, type KernelOptions, openKernel, several } from "../kernel-option.ts";
import { bytesText, countText, fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";
import { checkWritable, writeWhole } from "../write-file.ts";

interface Options extends KernelOptions, Accepted, AccountOptions {
  to?: string;
  git?: string[];
  range?: string[];
  only: string;
  leaveOut?: string[];
  take?: string[];
  acceptDoubt?: string[];
  acceptData?: string[];
  redirect?: string[];
  hole?: string[];
  upon?: string;
  name?: string;
  output?: string;
  report?: string;
  unproven?: boolean;
  jobs?: string;
}

export const catchUpCommand: AddCommand = (program, run) => {
  addAccountOptions(addAccepted(addKernelOptions(program.command("catch-up"))), `${CHANGELOG}; with --to it is fetched unless given`)
    .description("build one livepatch of all that a newer release has and a livepatch can carry, and say what became of each change")
    .option("--to <release>", "the newer release, as `uname -r` says it, or `newest`: by the difference of the two source packages")
    .option("--git <folder>", "instead: a clone with the commits; may be given again, each with its --range", several)
    .option("--range <commits>", "A..B, oldest first along first parents; may be given again", several)
    .option("--only <which>", "all, or cve: commits that name a CVE, and what those need", "all")
    .option("--leave-out <unit...>", "units that are not to go in: by id, commit, or a file or folder that they change")
    .option("--take <unit...>", "only these units, and what they need")
    .option(
      "--accept-doubt <unit...>",
      "units that go in though they may be halves of fixes, or meet objects that they are not made for: you have read them",
    )
    .option(
      "--accept-data <variable...>",
      "put the new values of these variables (OBJECT:VARIABLE) into the running kernel: you know that none of its code has gone by the old ones (docs/means.md)",
    )
    .option(
      "--redirect <function...>",
      "let a probe of the kernel send calls of these functions (OBJECT:FUNCTION), which have no ftrace entry, to the new ones (docs/means.md)",
    )
    .option(
      "--hole <member...>",
      "put these new members (TYPE.MEMBER) where their structures have padding: you know that 0 is right for objects that were there before (docs/means.md)",
    )
    .option("--upon <module>", "the livepatch of an earlier catch-up: the new one replaces it, and knows its states")
    .option("--name <name>", "the livepatch's name; catch-up-VERSION unless given")
    .option("--output <file>", "where the module goes; livepatch-NAME.ko unless given")
    .option("--report <file>", "where the report goes, as JSON; beside the module, with .json in place of .ko, unless given")
    .option("--unproven", "build although an object is not shown to be what the kernel runs: for experts, and marked so")
    .option("--jobs <count>", "compilers at a time; as many as there are processors unless given")
    .action(
      run(async (task, options: Options) => {
        checkOptions(options);
        // A release's texts come and go by the gigabyte: what is no longer needed is to go before the heap has doubled.
        setFlagsFromString("--heap-growing-percent=30");
        await checkWritable(options.output ?? "livepatch.ko");
        await checkAccountFiles(options);
        const predecessor = options.upon === undefined ? undefined : await readPredecessor(options.upon);
        const kernel = await openKernel(task, options);
        let fetched: string | undefined;
        try {
          const plan =
            options.git === undefined
              ? await packages(options.to ?? "newest")
              : await commitUnits(
                  task,
                  kernel,
                  options.git.map((folder, at) => ({ folder, range: options.range?.[at] ?? "" })),
                );
          const only = options.only === "cve" ? "cve" : "all";
          const { leaveOut = [], take = [], acceptDoubt = [], acceptLayout: acceptLayouts = [], acceptInit: acceptInits = [] } = options;
          const running = kernel.target.inputs.find(({ name }) => name.startsWith("linux-source-"))?.version;
          const sources = await sourcesOf([running, plan.target.version]);
          const found = await catchUp(task, kernel, plan, {
            only,
            leaveOut,
            take,
            acceptDoubt,
            predecessor,
            acceptLayouts,
            acceptInits,
            acceptData: options.acceptData,
            redirects: options.redirect,
            holes: options.hole,
            plain: options.plain,
            unproven: options.unproven === true,
            name: options.name,
            jobs: jobsOf(options.jobs),
            account: sources === undefined ? undefined : async (report) => summaryOf(accountOf(report, sources)),
          });
          const account = sources === undefined ? undefined : accountOf(found.report, sources);
          const file = found.livepatch === undefined ? undefined : (options.output ?? found.livepatch.file);
          const report = options.report ?? `${(file ?? options.output ?? "catch-up.ko").replace(/\.ko$/, "")}.json`;
          if (file !== undefined && found.livepatch !== undefined) await writeWhole(file, found.livepatch.bytes);
          await writeWhole(report, Buffer.from(writeReport(found.report)));
          if (account !== undefined) await writeAccount(account, found.report, options, file);
          return {
            document: catchUpDocument.of({ file, size: found.livepatch?.bytes.length, report: found.report, account }),
            text: safeText(partsText([account === undefined ? "" : accountText(account), caughtUpText(found, file, report)])),
          };
        } finally {
          kernel.close();
        }

        /** A changelog that was not asked for, and does not have both releases, is done without. */
        async function sourcesOf(versions: readonly [string | undefined, string | undefined]): Promise<AccountSources | undefined> {
          const { changelog, cveData } = options;
          if (changelog === undefined && fetched !== undefined)
            try {
              return await accountSources(task, versions, { ...options, changelog: fetched });
            } catch (error) {
              if (!(error instanceof SutureError) || error.code !== "ACCOUNT_CHANGELOG") throw error;
              task.reporter.warn(`it is not told which fixes and CVEs the newer release has: ${error.message}`);
            }
          if (changelog !== undefined || cveData !== undefined) return accountSources(task, versions, options);
          if ((options.page ?? options.vex) !== undefined) throw noAccount();
          return undefined;
        }

        async function packages(to: string) {
          const own = ownSource(kernel.target, cacheDirectory());
          task.reporter.warn(
            "source packages do not say which lines are one fix: units are found by reading text. Read what is carried of files in which something is left out before it is loaded (docs/catch-up.md)",
          );
          const newer = await releaseSource(task, own, to, cacheDirectory());
          fetched = newer.changelog;
          if (fetched === undefined)
            task.reporter.warn(`no package of ${newer.name} ${newer.version} has a changelog: it is not told which fixes and CVEs it has`);
          return packageUnits(task, kernel, own, newer);
        }
      }),
    );
};

/** @throws CLI_USAGE */
function checkOptions(options: Options): void {
  const { changelog, cveData, page, vex, git = [] } = options;
  if (git.length > 0 && changelog === undefined && cveData === undefined && (page ?? vex) !== undefined) throw noAccount();
  checkWays(options);
}

function noAccount() {
  return fail("CLI_USAGE", "--page and --vex are of an account: it needs --changelog, --cve-data or both");
}

/** @throws CLI_USAGE */
function checkWays({ git = [], range = [], to, only, jobs }: Options): void {
  if (git.length > 0 && to !== undefined) throw fail("CLI_USAGE", "--to and --git name two ways to a newer release");
  if (git.length !== range.length) throw fail("CLI_USAGE", `each --git needs its --range: there are ${git.length} and ${range.length}`);
  if (only !== "all" && only !== "cve") throw fail("CLI_USAGE", `--only ${only} is neither all nor cve`);
  if (only === "cve" && git.length === 0)
    throw fail("CLI_USAGE", "--only cve needs --git: the difference of two source packages does not say what mends a CVE");
  jobsOf(jobs);
}

function jobsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const jobs = Number(text);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 1024) throw fail("CLI_USAGE", `--jobs ${text} is no number of compilers`);
  return jobs;
}

/** So many kinds of reasons are shown; the report has all. */
const SHOWN = 10;

function caughtUpText({ report, livepatch }: CaughtUp, file: string | undefined, reportFile: string): string {
  const count = (state: UnitState): number => report.units.filter((unit) => unit.state === state).length;
  const codes = new Map<string, number>();
  for (const { state, reasons } of report.units)
    if (state === "left out") for (const code of new Set(reasons.map((reason) => reason.code))) codes.set(code, (codes.get(code) ?? 0) + 1);
  const most = [...codes].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, SHOWN);
  return partsText([
    headedText(
      `what became of ${countText(report.units.length, "unit")}`,
      tableText(
        ["state", "units"],
        UNIT_STATES.map((state) => [state, String(count(state))]),
      ),
    ),
    headedText(
      "left out for",
      tableText(
        ["reason", "units"],
        most.map(([code, units]) => [code, String(units)]),
      ),
    ),
    fieldsText([
      ["module", livepatch === undefined ? "none: nothing can be carried" : `${file ?? ""}, ${bytesText(livepatch.bytes.length)}`],
      ["functions", livepatch === undefined ? "" : `${livepatch.manifest.functions.length}`],
      ["report", reportFile],
    ]),
  ]);
}
