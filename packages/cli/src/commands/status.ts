import { setTimeout as sleep } from "node:timers/promises";
import type { Effective, PatchStatus, Status, Straggler } from "@suture/protocol";
import { statusDocument } from "@suture/protocol";
import type { AddCommand, Answer } from "../answer.ts";
import { fieldsText, headedText, partsText, safeText, tableText } from "../text.ts";

export const statusCommand: AddCommand = (program, run) => {
  program
    .command("status")
    .description("what the running kernel has beyond its version, and what is under way")
    .option("--watch", "show it again whenever it has changed, until interrupted; with --json a document a line")
    .action(
      run(async (task, options: { watch?: boolean }) => {
        const { status, stragglerText, THIS_MACHINE } = await import("@suture/host");
        const look = async (): Promise<Answer> => {
          const found = await status(THIS_MACHINE);
          return { document: statusDocument.of(found), text: safeText(statusText(found, stragglerText)) };
        };
        return options.watch === true ? changes(look, task.signal) : look();
      }),
    );
};

const PAUSE_MS = 500;

/** The first answer, and each that is not like the one before. Ends when it is interrupted, which is how a person ends it. */
async function* changes(look: () => Promise<Answer>, signal: AbortSignal): AsyncGenerator<Answer> {
  const interrupted = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  let last = "";
  while (!signal.aborted) {
    const answer = await look();
    const now = JSON.stringify(answer.document);
    if (now !== last) yield answer;
    last = now;
    await Promise.race([sleep(PAUSE_MS), interrupted]);
  }
}

type TaskText = (straggler: Straggler) => string;

function statusText({ kernel, off, taint, patches, idle, fixes, effective, installed, unreadable }: Status, taskText: TaskText): string {
  const here = installed.filter(({ release }) => release === kernel.release);
  return partsText([
    fieldsText([
      ["kernel", `${kernel.release}, build-id ${kernel.buildId ?? "unknown"}`],
      ["taint", taint.letters === "" ? "none" : taint.letters],
      ["livepatches", patches.length === 0 ? "none" : patches.map(({ name }) => name).join(", ")],
      ["effective", (effective ?? []).map(effectiveText).join("\n")],
      ["without effect", idle.join(", ")],
      ["kept for boot", `${here.map(({ name }) => name).join(", ") || "none"}${off ? " (suture=off was given)" : ""}`],
      ["quarantined", here.flatMap(({ name, quarantine }) => (quarantine === undefined ? [] : [`${name}: ${quarantine}`])).join("\n")],
      ["cannot be read", unreadable.join("\n")],
    ]),
    ...(effective ?? []).map(openText),
    ...patches.map((patch) => patchText(patch, taskText)),
    headedText(
      "fixes in effect beyond the kernel's version",
      fixes
        .map(({ patch, subject, cves }) => `  ${subject ?? "(no subject)"}${cves.length > 0 ? ` (${cves.join(", ")})` : ""}, by ${patch}`)
        .join("\n"),
    ),
  ]);
}

function patchText(patch: PatchStatus, taskText: TaskText): string {
  const { name, enabled, transition, objects, proven, damage, live = [], redirects = [] } = patch;
  const proof = proven === undefined ? (damage ?? "not loaded by Suture") : proven ? "proven" : "NOT PROVEN";
  const state = transition === undefined ? (enabled ? "in effect" : "disabled") : `being ${transition.to}`;
  const rows = objects.flatMap((object) =>
    object.functions.map((f) => [
      f.name,
      String(f.sympos),
      object.loaded ? object.name : `${object.name} (not loaded)`,
      f.owner === name ? "" : f.owner,
    ]),
  );
  return partsText([
    headedText(`${name}: ${state}, ${proof}`, tableText(["function", "sympos", "object", "overridden by"], rows)),
    headedText(
      `${name}: changed in the kernel's data`,
      tableText(
        ["variable", "object", "now"],
        live.map((word) => [word.variable, word.object, word.in ? "changed" : "as it was"]),
      ),
    ),
    headedText(
      `${name}: redirected by a probe of the kernel`,
      tableText(
        ["function", "object", "now", "calls that missed it"],
        redirects.map((one) => [one.function, one.object, one.in ? "redirected" : "as it was", String(one.missed)]),
      ),
    ),
    headedText("held up by", (transition?.stragglers ?? []).map((straggler) => `  ${taskText(straggler)}`).join("\n")),
  ]);
}

function effectiveText({ patch, base, target, cves, closed, open }: Effective): string {
  if (cves === 0) return `${base}, and what ${patch} carries of ${target}`;
  const here = open.filter(({ loaded }) => loaded !== false).length;
  const openText = open.length === 0 ? "none is open" : `${open.length} are open, ${here} of them in what is loaded here or not known`;
  return `${base} and ${closed} of ${cves} CVEs of ${target}, by ${patch}; ${openText}`;
}

/** So many are shown; the document has all. */
const SHOWN = 30;

function openText({ target, open }: Effective): string {
  // What is in the kernel comes first.
  const sorted = [...open].sort((a, b) => Number(b.loaded ?? true) - Number(a.loaded ?? true));
  const rows = sorted
    .slice(0, SHOWN)
    .map(({ id, state, partly, owners, loaded }) => [
      id,
      partly ? "partly carried" : state,
      owners.join(", "),
      loaded === undefined ? "not known" : loaded ? "yes" : "no",
    ]);
  const more = open.length > SHOWN ? `\n  and ${open.length - SHOWN} more (--json has all)` : "";
  return headedText(`open CVEs of ${target}`, tableText(["CVE", "state", "in", "loaded here"], rows) + more);
}
