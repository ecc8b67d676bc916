/** A report of a catch-up from its file: by itself, or in the document that the command printed. */
import { readFile } from "node:fs/promises";
import { type CatchUpReport, catchUpReportSchema } from "@suture/protocol";
import * as v from "valibot";
import { fail } from "./errors.ts";

/** @throws ACCOUNT_REPORT */
export async function readReport(path: string): Promise<CatchUpReport> {
  const where = { file: path };
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw fail("ACCOUNT_REPORT", cause instanceof Error ? cause.message : String(cause), where, { cause });
  }
  const inside = typeof value === "object" && value !== null && "report" in value ? value.report : value;
  const checked = v.safeParse(catchUpReportSchema, inside, { abortEarly: true });
  // As it stands, so that its SHA-256 is that of the file.
  if (checked.success) return inside as CatchUpReport;
  const [issue] = checked.issues;
  throw fail(
    "ACCOUNT_REPORT",
    `it is not of a form that this version knows: ${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`,
    where,
  );
}
