/** Of a report of a catch-up and of what says which fix is which: the account, and what is written of it. */
import { readFile, rm } from "node:fs/promises";
import { basename } from "node:path";
import { type AccountSources, changelogOfPackage, openVex, readChangelog, readRecords } from "@suture/account";
import { sha256 } from "@suture/files";
import { type Account, type CatchUpReport, FIX_STATES, type FixState } from "@suture/protocol";
import { scratchFolder, type Task } from "@suture/task";
import type { Command } from "commander";
import { fail } from "./errors.ts";
import { headedText, tableText } from "./text.ts";
import { checkWritable, writeWhole } from "./write-file.ts";

export interface AccountOptions {
  changelog?: string | undefined;
  cveData?: string;
  page?: string;
  vex?: string;
  vexAuthor?: string;
}

/** @param changelog what the option of that name takes, for people */
export function addAccountOptions(command: Command, changelog: string): Command {
  return command
    .option("--changelog <file>", changelog)
    .option("--cve-data <folder>", "a clone of the kernel's vulns repository: cve/published/YEAR/CVE-*.json")
    .option("--page <file>", "write the account as one HTML page")
    .option("--vex <file>", "write it as an OpenVEX document, for machines on which the livepatch is in effect")
    .option("--vex-author <name>", "who says so; suture unless given");
}

/** Said before the work. @throws CLI_FILE */
export async function checkAccountFiles({ page, vex }: AccountOptions): Promise<void> {
  for (const file of [page, vex]) if (file !== undefined) await checkWritable(file);
}

export const CHANGELOG = "of the newer release's package: the .deb, or its usr/share/doc/NAME/changelog.gz";

/**
 * What says which fix is which, read before any long work.
 * @param from version of the package that runs, and of the newer one
 * @throws ACCOUNT_*, CLI_USAGE
 */
export async function accountSources(
  task: Task,
  [from, to]: readonly [from: string | undefined, to: string | undefined],
  { changelog: file, cveData }: AccountOptions,
): Promise<AccountSources> {
  if (file !== undefined && (from === undefined || to === undefined))
    throw fail("CLI_USAGE", "--changelog is of no use here: there are no versions of packages to look for in it");
  return {
    changelog: file === undefined ? undefined : await readWhich(task, file, from ?? "", to ?? ""),
    records: cveData === undefined ? undefined : await readRecords(task, cveData),
  };
}

async function readWhich(task: Task, file: string, from: string, to: string) {
  if (!file.endsWith(".deb")) return { ...(await readChangelog(file, from, to)), file: basename(file) };
  const folder = await scratchFolder("changelog");
  try {
    return { ...(await readChangelog(await changelogOfPackage(task, file, folder), from, to)), file: `changelog.gz of ${basename(file)}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param livepatch its file, where there is one */
export async function writeAccount(
  account: Account,
  report: CatchUpReport,
  { page, vex, vexAuthor = "suture" }: AccountOptions,
  livepatch: string | undefined,
): Promise<void> {
  if (page !== undefined) {
    const { accountPage } = await import("@suture/pages");
    await writeWhole(page, Buffer.from(accountPage(account, report)));
  }
  if (vex === undefined) return;
  const module = livepatch === undefined ? undefined : { name: basename(livepatch), sha256: sha256(await readFile(livepatch)) };
  await writeWhole(
    vex,
    Buffer.from(`${JSON.stringify(openVex(account, { author: vexAuthor, at: issued(), livepatch: module }), undefined, 1)}\n`),
  );
}

/** As builds that are to be the same again say it. */
function issued(): Date {
  const given = Number(process.env.SOURCE_DATE_EPOCH ?? "");
  return Number.isInteger(given) && given > 0 && given < 1e11 ? new Date(given * 1000) : new Date();
}

export function accountText({ counts }: Account): string {
  const of = (row: Account["counts"]["cves"], state: FixState): string =>
    String(
      {
        carried: row.carried,
        "not built": row.notBuilt,
        "no need": row.noNeed,
        "left out": row.leftOut,
        "in the kernel": row.inKernel,
        unknown: row.unknown,
      }[state],
    );
  return headedText(
    "what became of them",
    tableText(
      ["state", "CVEs", "fixes", "changes"],
      FIX_STATES.map((state) => [state, of(counts.cves, state), of(counts.fixes, state), of(counts.units, state)]),
    ),
  );
}
