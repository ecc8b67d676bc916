/** What the fleet knows of CVEs as OpenVEX 0.2.0 (https://github.com/openvex/spec): a product for each level that a machine has. */
import { sha256 } from "@suture/files";
import { fail } from "../errors.ts";
import type { Judged } from "../knowledge/picture.ts";
import { actionOf, byCve, justificationOf, kernelIdOf, livepatchIdOf, type Same, STATUSES } from "./products.ts";

export interface Issued {
  author: string;
  at: Date;
}

/** @throws FLEET_NONE: a document without statements is none */
export function fleetOpenVex(levels: readonly Judged[], { author, at }: Issued): object {
  const statements = [...byCve(levels)].flatMap(([cve, same]) => same.map((one) => statementOf(cve, one)));
  if (statements.length === 0) throw fail("FLEET_NONE", "no CVE is known of for a kernel of this fleet");
  return {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": `urn:suture:vex:${sha256(JSON.stringify(statements))}`,
    author,
    timestamp: at.toISOString(),
    version: 1,
    tooling: "suture-fleet",
    statements,
  };
}

function statementOf(cve: string, { standing, levels }: Same): object {
  const { reason, why } = standing;
  const status = STATUSES[reason];
  const justification = justificationOf(reason);
  return {
    vulnerability: { name: cve },
    products: unique(levels.map(productOf)),
    status,
    ...(justification === undefined ? {} : { justification }),
    ...(status === "affected" ? { action_statement: actionOf(standing) } : {}),
    status_notes: why,
  };
}

function productOf(judged: Judged): object {
  const { inEffect } = judged;
  return {
    "@id": kernelIdOf(judged),
    ...(inEffect.length === 0
      ? {}
      : { subcomponents: inEffect.map(({ name, sha256: digest }) => ({ "@id": livepatchIdOf(name), hashes: { "sha-256": digest } })) }),
  };
}

/** Levels that differ by livepatches of others alone are one product. */
const unique = (products: readonly object[]): object[] => [...new Map(products.map((one) => [JSON.stringify(one), one])).values()];
