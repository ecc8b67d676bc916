/** An account as OpenVEX 0.2.0, for scanners (https://github.com/openvex/spec). It holds for machines on which the livepatch is in effect. */

import { sha256 } from "@suture/files";
import type { Account, CveAccount } from "@suture/protocol";
import { fail } from "./errors.ts";

export interface VexOptions {
  author: string;
  /** When it is issued. */
  at: Date;
  /** The livepatch: its file's name and SHA-256. */
  livepatch?: { name: string; sha256: string } | undefined;
}

interface Statement {
  vulnerability: { name: string };
  products: readonly object[];
  status: "not_affected" | "affected" | "fixed" | "under_investigation";
  justification?: "vulnerable_code_not_present" | "vulnerable_code_not_in_execute_path";
  action_statement?: string;
  status_notes?: string;
}

/** @returns the document, as JSON is written of it. @throws ACCOUNT_NO_CVES: a document without statements is none */
export function openVex(account: Account, { author, at, livepatch }: VexOptions): object {
  if (account.cves.length === 0) throw fail("ACCOUNT_NO_CVES", "no CVE is known of that the newer release fixes");
  const products = [productOf(account, livepatch)];
  const statements = account.cves.map((cve) => ({ ...statementOf(cve, account, livepatch?.name), products }));
  return {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": `urn:suture:vex:${sha256(Buffer.from(JSON.stringify(statements)))}`,
    author,
    timestamp: at.toISOString(),
    version: 1,
    tooling: "suture",
    statements,
  };
}

/** The kernel's package by its purl, with the livepatch as a part of it. */
function productOf({ base }: Account, livepatch: VexOptions["livepatch"]): object {
  const id =
    base.release !== undefined && base.version !== undefined
      ? `pkg:deb/debian/linux-image-${encodeURIComponent(base.release)}@${encodeURIComponent(base.version)}`
      : `urn:suture:kernel:${base.buildId ?? "unknown"}`;
  return {
    "@id": id,
    ...(livepatch === undefined
      ? {}
      : {
          subcomponents: [{ "@id": `urn:suture:livepatch:${encodeURIComponent(livepatch.name)}`, hashes: { "sha-256": livepatch.sha256 } }],
        }),
  };
}

function statementOf(
  { id, state, why, code, mend, partly }: CveAccount,
  { target }: Account,
  livepatch = "the livepatch",
): Omit<Statement, "products"> {
  const vulnerability = { name: id };
  const newer = target.release ?? target.version ?? "the newer release";
  switch (state) {
    case "carried":
      return {
        vulnerability,
        status: "fixed",
        status_notes: `Fixed while ${livepatch} is in effect (suture status says whether it is); not in the kernel's own package.`,
      };
    case "in the kernel":
      return { vulnerability, status: "fixed", status_notes: why };
    case "not built":
      return { vulnerability, status: "not_affected", justification: "vulnerable_code_not_present", status_notes: why };
    case "no need":
      // The schema lets a justification or an impact statement stand, not both.
      return {
        vulnerability,
        status: "not_affected",
        justification: "vulnerable_code_not_in_execute_path",
        status_notes: `${why}. Code that runs only when a module comes up runs as it is in a module that is loaded later.`,
      };
    case "left out":
      return {
        vulnerability,
        status: "affected",
        action_statement: `Boot ${newer}.${mend === undefined || mend === "" ? "" : ` Without that: ${mend}`}`,
        status_notes: `${partly ? "Partly carried. " : ""}${code === undefined ? "" : `${code}: `}${why}`,
      };
    case "unknown":
      return { vulnerability, status: "under_investigation", status_notes: why };
  }
}
