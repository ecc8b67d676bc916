/**
 * The same input must give the same module, byte for byte, after a change that means to change nothing: livepatches of every class are built by the
 * command of this checkout or of another one, and their sums kept, to be held against each other.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { KernelContext } from "@suture/kbuild";
import { newestKernel, prepareTarget } from "@suture/sources";
import { run as runCommand } from "@suture/task";
import { SERIES } from "@suture/testkit/series";
import * as v from "valibot";
import { type Result, readKept } from "../kept.ts";
import { COMMON, WrongUse } from "../options.ts";
import { commitOf, type Found, ROOT, type Run, type RunContext } from "../run.ts";
import { fromCorpus, type Input, ofKernel } from "./inputs.ts";
import { differingParts, PATCHED_SUMS, UPON_SUM } from "./parts.ts";

export const same: Run = {
  name: "same",
  what: "livepatches of every class, and the SHA-256 of each: held against those that another checkout built of the same",
  words: {
    kernel: { ...COMMON.kernel, what: "only this one, and no corpus; the newest of 6.1 and of 6.12 unless given" },
    corpus: { value: "DIR", what: "a folder of real fixes, with manifest.json" },
    sample: { ...COMMON.sample, what: "so many fixes of the corpus, and half as many edits for each kernel", is: "40", short: "8" },
    seed: COMMON.seed,
    suture: { value: "PROGRAM", what: "the suture of the checkout that builds", is: join(ROOT, "suture") },
    against: { value: "FILE", what: "results.jsonl of an earlier run: says what differs" },
  },
  ofCommit: ({ options }) => commitOf(dirname(options.text("suture") ?? "")),
  async run(context) {
    const { options } = context;
    const against = options.text("against");
    if (against !== undefined && !existsSync(against)) throw new WrongUse(`there is no ${against}`);
    const program = options.text("suture") ?? "";
    if (!existsSync(program)) throw new WrongUse(`there is no ${program}`);
    mkdirSync(join(context.folder, "modules"), { recursive: true });
    const inputs = await inputsOf(context);
    for (const input of inputs) await context.item(input.name, () => build(context, program, input));
    const results = inputs.flatMap(({ name }) => context.kept.get(name) ?? []);
    const classes = new Map<string, number>();
    for (const { outcome, more } of results)
      if (outcome === "built") classes.set(String(more?.class), (classes.get(String(more?.class)) ?? 0) + 1);
    context.more = { built: Object.fromEntries(classes), ...(against === undefined ? {} : compare(context, results, against)) };
  },
};

async function inputsOf({ task, cache, options, folder }: RunContext): Promise<Input[]> {
  const only = options.text("kernel");
  const [sample, seed] = [options.number("sample"), options.number("seed")];
  const releases = only === undefined ? await Promise.all(SERIES.map(([, series]) => newestKernel(task, series))) : [only];
  const corpus = options.text("corpus");
  const inputs = corpus === undefined || only !== undefined ? [] : fromCorpus(corpus, sample, seed);
  for (const release of releases) {
    const kernel = await KernelContext.open(task, await prepareTarget(task, release, { cache }), cache);
    try {
      inputs.push(...ofKernel(kernel, join(folder, "inputs"), { edits: Math.ceil(sample / 2), seed }));
    } finally {
      kernel.close();
    }
  }
  return [...new Map(inputs.map((input) => [input.name, input])).values()];
}

const ANY = Array.from({ length: 256 }, (_, code) => code);
const sum = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

/** By the command, as a user has it: another checkout has other functions behind it. */
async function build({ task, folder }: RunContext, program: string, input: Input): Promise<Found> {
  const module = join(folder, "modules", `${input.name}.ko`);
  rmSync(module, { force: true });
  const upon = input.upon === undefined ? [] : ["--upon", join(folder, "modules", `${input.upon}.ko`)];
  // Where things stand is no input, but what is in them.
  const read = input.args.map((word) => (existsSync(word) && statSync(word).isFile() ? sum(readFileSync(word)) : word));
  const more = { class: input.class, kernel: input.kernel, input: sum(JSON.stringify([input.kernel, read, input.upon])) };
  const argv = [
    program,
    "--json",
    "build",
    ...input.args,
    ...upon,
    "--kernel",
    input.kernel,
    "--name",
    input.name.replace(/[^A-Za-z0-9]+/g, "-").slice(0, 38),
  ];
  const { code, stdout, stderr } = await runCommand(task, [...argv, "--output", module], { accept: ANY });
  if (code === 0) return { good: true, outcome: "built", more: { ...more, sha256: sum(readFileSync(module)) } };
  const refusal = refusalOf(stdout);
  if (refusal === undefined) return { good: false, outcome: "crashed", why: `it ended with ${code}: ${stderr.slice(-500)}`, more };
  return { good: true, outcome: "refused", ...refusal, more };
}

const RefusalSchema = v.object({ error: v.object({ code: v.string(), why: v.string() }) });

function refusalOf(text: string): { code: string; why: string } | undefined {
  if (!text.startsWith("{")) return undefined;
  const parsed = v.safeParse(RefusalSchema, JSON.parse(text));
  return parsed.success ? { code: parsed.output.error.code, why: parsed.output.error.why.slice(0, 300) } : undefined;
}

/** Whatever is otherwise than before is told, with the parts of the module that differ; all but one kind of it is a fault. */
function compare(context: RunContext, results: readonly Result[], file: string): Record<string, unknown> {
  const { headers, results: before } = readKept(file);
  const differs: string[] = [];
  const alone: string[] = [];
  const inSums: string[] = [];
  let equal = 0;
  for (const result of results) {
    const { name } = result;
    const then = before.get(name)?.result;
    const said = ({ outcome, code, more }: Result): string => [outcome, code, more?.sha256].filter((word) => word !== undefined).join(" ");
    if (then === undefined) alone.push(name);
    else if (then.more?.input !== result.more?.input) differs.push(`${name}: the input is another`);
    else if (said(then) === said(result)) equal += result.outcome === "built" ? 1 : 0;
    else if (then.outcome !== "built" || result.outcome !== "built") differs.push(`${name}: ${said(then)} before, ${said(result)} now`);
    else {
      const [old, now] = [dirname(file), context.folder].map((folder) => readFileSync(join(folder, "modules", `${name}.ko`)));
      const parts = old === undefined || now === undefined ? [] : differingParts(old, now);
      if (parts.length > 0 && parts.every((part) => part === PATCHED_SUMS || part === UPON_SUM)) inSums.push(name);
      else differs.push(`${name}: ${parts.join(", ") || "how its parts are put together"}`);
    }
  }
  const missing = [...before.keys()].filter((name) => !context.names.has(name) && context.isWanted(name));
  for (const line of differs) console.log(`DIFFERS\t${line}`);
  context.left = differs.length + alone.length + missing.length > 0;
  const against = [...new Set(headers.map(({ commit }) => commit))];
  return { against, equal, equalButForSumsOfPatchedObjects: inSums, differs, onlyHere: alone, onlyThere: missing };
}
