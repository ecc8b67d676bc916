import { readFile } from "node:fs/promises";
import type { Inspection } from "@suture/livepatch";
import { byFunction, inspectDocument, UNIT_STATES } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { holesText, liveText, membersText, redirectsText, stackTypesText, successorsText } from "../means-text.ts";
import { signerText } from "../signer-text.ts";
import { bytesText, countText, fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";

export const inspectCommand: AddCommand = (program, run) => {
  program
    .command("inspect")
    .description("what a livepatch changes, for which kernel, from which inputs; also of one that others built")
    .argument("<module>", "a .ko file")
    .action(
      run(async (_task, file: string) => {
        const { inspect } = await import("@suture/livepatch");
        const found = inspect(await readFile(file), file);
        return { document: inspectDocument.of(found), text: safeText(inspectionText(found)) };
      }),
    );
};

function inspectionText(found: Inspection): string {
  const { manifest, descriptor } = found;
  const replace = manifest?.replace ?? descriptor?.replace;
  const owners = new Map(manifest?.functions.map((f) => [`${f.name} ${f.sympos}`, f]));
  return partsText([
    fieldsText([
      ["module", found.name],
      ["file", found.file],
      ["livepatch", found.livepatch ? "yes" : "no"],
      ["kernel", found.release + (manifest === undefined ? "" : `, build-id ${manifest.kernel.buildId}`)],
      ["vermagic", found.vermagic],
      ["made by", manifest === undefined ? "not Suture: it has no manifest" : "Suture"],
      ["proof", manifest === undefined ? "" : proofText(manifest.proof)],
      ["replaces other livepatches", replace === undefined ? "" : replace ? "yes" : "no"],
      ["compiler", manifest?.compiler ?? ""],
      ["signature", found.signature === undefined ? "none" : found.signature.signers.map(signerText).join("\n")],
      ["faults", found.faults.length === 0 ? "none found in the file" : found.faults.join("\n")],
    ]),
    headedText(
      `${countText(found.functions.length, "function")} replaced`,
      tableText(
        ["function", "sympos", "size", "object", "why"],
        found.functions.map((f) => {
          const known = owners.get(`${f.name} ${f.sympos}`);
          const size = known === undefined ? bytesText(f.size) : `${known.sizeBefore} → ${bytesText(f.size)}`;
          return [f.name, String(f.sympos), size, known?.owner ?? "", known?.why ?? ""];
        }),
      ),
    ),
    headedText(
      "callbacks",
      tableText(
        ["runs", "function", "object"],
        byFunction((descriptor?.objects ?? []).flatMap((object) => object.callbacks.map((one) => ({ owner: object.name, ...one })))).map(
          ({ kind, name, owners }) => [kind, name, owners.join(", ")],
        ),
      ),
    ),
    headedText("replaced by what the fix has in their place", successorsText(manifest?.successors ?? [])),
    headedText("structures that lie otherwise, on the stacks of replaced functions only", stackTypesText(manifest?.stackTypes ?? [])),
    headedText("redirected by a probe of the kernel", redirectsText(manifest?.redirects ?? [])),
    headedText("changed in the kernel's data", liveText(manifest?.live ?? [])),
    headedText("kept beside the objects of their structures", membersText(manifest?.members ?? [])),
    headedText("how the source was written anew for those", manifest?.membersSource ?? ""),
    headedText("put where their structures had padding", holesText(manifest?.holes ?? [])),
    headedText(
      "states",
      tableText(
        ["id", "version"],
        (descriptor?.states ?? []).map(({ id, version }) => [String(id), String(version)]),
      ),
    ),
    headedText(
      "shadow variables",
      tableText(
        ["id", "name", "size"],
        (manifest?.shadows ?? []).map(({ id, name, size }) => [`0x${id.toString(16)}`, name, bytesText(size)]),
      ),
    ),
    headedText(
      "other functions in the module",
      tableText(
        ["function", "size"],
        found.others.map((f) => [f.name, bytesText(f.size)]),
      ),
    ),
    headedText(
      `${countText(found.klpSymbols.length, "symbol")} found by the livepatch core`,
      tableText(
        ["symbol", "object", "sympos"],
        found.klpSymbols.map((s) => [s.name, s.object, String(s.sympos)]),
      ),
    ),
    headedText(`${countText(found.imports.length, "symbol")} found by the module loader`, wrap(found.imports)),
    headedText(
      "relocations",
      tableText(
        ["section", "count", "applied by"],
        found.relocations.map((r) => [
          r.section,
          String(r.count),
          r.object === undefined ? "module loader" : `livepatch core, for ${r.object}`,
        ]),
      ),
    ),
    headedText("notes", (manifest?.notes ?? []).map(({ object, text }) => `  ${object}: ${text}`).join("\n")),
    headedText(
      "fixes",
      (manifest?.fixes ?? [])
        .map((f) => `  ${f.subject ?? "(no subject)"}${f.cves.length > 0 ? ` (${f.cves.join(", ")})` : ""}`)
        .join("\n"),
    ),
    levelText(manifest),
    headedText(
      "inputs",
      tableText(
        ["kind", "name", "version", "SHA-256"],
        (manifest?.inputs ?? []).map((i) => [i.kind, i.name, i.version ?? "", i.sha256]),
      ),
    ),
  ]);
}

function proofText(proof: { proven: boolean; functions: number; reason?: string }): string {
  if (proof.proven && proof.functions === 0) return "none was needed: it names no function or variable of the kernel's own";
  const counted = countText(proof.functions, "function");
  return proof.proven ? `proven: ${counted} of the patched objects are what the kernel runs` : `NOT PROVEN: ${proof.reason ?? "not tried"}`;
}

/** Of one that brings a kernel to the level of a newer release. */
function levelText(manifest: Inspection["manifest"]): string {
  const { catchUp, account } = manifest ?? {};
  if (catchUp === undefined) return "";
  const units = UNIT_STATES.map((state) => [state, String(catchUp.units.filter((unit) => unit.state === state).length)]);
  const { base, target } = catchUp;
  return partsText([
    headedText(
      `from ${base.version ?? base.release ?? ""} to the level of ${target.version ?? target.release ?? ""}`,
      tableText(["changes", "count"], units),
    ),
    account === undefined
      ? ""
      : headedText(
          "CVEs that the newer release fixes",
          tableText(
            ["state", "count"],
            [
              ["carried", account.carried],
              ["not built", account.notBuilt],
              ["no need", account.noNeed],
              ["in the kernel", account.inKernel],
              ["left out", account.leftOut],
              ["unknown", account.unknown],
            ].map(([state, ids]) => [String(state), String(ids?.length ?? 0)]),
          ),
        ),
    headedText(
      "CVEs that stay open",
      tableText(
        ["CVE", "refusal", "about", "in"],
        (account?.leftOut ?? []).map(({ id, partly, code, symbol, owners }) => [
          id,
          `${code ?? ""}${partly ? " (partly carried)" : ""}`,
          symbol ?? "",
          owners.join(", "),
        ]),
      ),
    ),
  ]);
}

/** Words in lines of about 100 characters. */
function wrap(words: readonly string[]): string {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > 100) lines.push(`  ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join("\n");
}
