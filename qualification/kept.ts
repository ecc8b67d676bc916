/**
 * What a run found, kept as it comes: results.jsonl, a line of JSON for each thing that was done, behind a header that says what with. Whatever stops the
 * run, what is on a whole line is done; the rest of a line that was never finished is cut off. summary.json is written when the run ends.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

const HeaderSchema = v.strictObject({
  form: v.literal("suture-qualification-1"),
  run: v.string(),
  commit: v.string(),
  /** Of runs that are about one kernel. */
  kernel: v.optional(v.string()),
  options: v.record(v.string(), v.union([v.string(), v.boolean()])),
  started: v.string(),
});

const ResultSchema = v.strictObject({
  name: v.string(),
  /** Whether it is as the run promises. */
  good: v.boolean(),
  /** In a word or two, the run's own: built, passed, refused, ... */
  outcome: v.string(),
  /** Of a refusal. */
  code: v.optional(v.string()),
  why: v.optional(v.string()),
  ms: v.number(),
  /** What else the run says of it. */
  more: v.optional(v.record(v.string(), v.unknown())),
});

const LineSchema = v.union([HeaderSchema, ResultSchema]);

export const SummarySchema = v.strictObject({
  run: v.string(),
  kernel: v.optional(v.string()),
  options: v.record(v.string(), v.union([v.string(), v.boolean()])),
  /** Which commits the results are of, and how many of each. */
  commits: v.record(v.string(), v.number()),
  /** False where the run was stopped, or things are left to do. */
  ended: v.boolean(),
  done: v.number(),
  good: v.number(),
  /** Outcome, or the code of a refusal → how many. */
  outcomes: v.record(v.string(), v.number()),
  bad: v.array(v.pick(ResultSchema, ["name", "outcome", "code", "why"])),
  /** The run's own sums. */
  more: v.optional(v.record(v.string(), v.unknown())),
});

export type Header = v.InferOutput<typeof HeaderSchema>;
export type Result = v.InferOutput<typeof ResultSchema>;
export type Summary = v.InferOutput<typeof SummarySchema>;

interface KeptLine {
  result: Result;
  commit: string;
}

/** Results and headers of a file, in order. @throws on a whole line that is none of both */
export function readKept(path: string): { headers: Header[]; results: Map<string, KeptLine> } {
  const headers: Header[] = [];
  const results = new Map<string, KeptLine>();
  const lines = (existsSync(path) ? readFileSync(path, "utf8") : "").split("\n");
  // What stands behind the last end of a line was never finished.
  for (const [i, text] of lines.slice(0, -1).entries()) {
    const line = lineOf(text);
    const header = headers.at(-1);
    if (line === undefined) throw new Error(`${path}:${i + 1} is no result: remove the line, or take another folder with --out`);
    if ("form" in line) headers.push(line);
    else if (header === undefined) throw new Error(`${path}:${i + 1}: a result without a header before it: take another folder with --out`);
    // Of what was done again, the last counts.
    else results.set(line.name, { result: line, commit: header.commit });
  }
  return { headers, results };
}

function lineOf(text: string): Header | Result | undefined {
  try {
    const parsed = v.safeParse(LineSchema, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export class Kept {
  readonly #path: string;
  readonly #folder: string;
  readonly #header: Header;
  readonly #results: Map<string, KeptLine>;
  /** Those that are to be done again. */
  readonly again: readonly Result[];

  /**
   * @param again words: a name, an outcome, a code, or a text of `more`: those are forgotten; "all" are all
   * @param ofCommit forget those of other commits
   */
  constructor(
    folder: string,
    header: Omit<Header, "form" | "started">,
    { again, ofCommit }: { again: readonly string[]; ofCommit: boolean },
  ) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#path = join(folder, "results.jsonl");
    this.#header = { form: "suture-qualification-1", ...header, started: new Date().toISOString() };
    const { headers, results } = readKept(this.#path);
    const other = headers.find(({ run, kernel }) => run !== header.run || kernel !== header.kernel);
    if (other !== undefined)
      throw new Error(`${folder} holds results of ${other.run} ${other.kernel ?? ""}: take another folder with --out`);
    const isMeant = ({ name, outcome, code, more = {} }: Result): boolean =>
      again.some((word) => word === "all" || [name, outcome, code, ...Object.values(more)].includes(word));
    this.again = [...results.values()].map(({ result }) => result).filter(isMeant);
    for (const { name } of this.again) results.delete(name);
    if (ofCommit) for (const [name, { commit }] of results) if (commit !== header.commit) results.delete(name);
    this.#results = results;
    // Written anew: without what was forgotten, and without half a line.
    const lines = headers.flatMap((one) => [
      one,
      ...[...results.values()].filter(({ commit }) => commit === one.commit).map(({ result }) => result),
    ]);
    const unique = [...new Map(lines.map((line) => ["form" in line ? `${line.commit}\n` : line.name, line])).values()];
    writeFileSync(`${this.#path}.partial`, [...unique, this.#header].map((line) => `${JSON.stringify(line)}\n`).join(""));
    renameSync(`${this.#path}.partial`, this.#path);
  }

  get all(): Result[] {
    return [...this.#results.values()].map(({ result }) => result);
  }

  get(name: string): Result | undefined {
    return this.#results.get(name)?.result;
  }

  add(result: Result): void {
    this.#results.set(result.name, { result, commit: this.#header.commit });
    appendFileSync(this.#path, `${JSON.stringify(v.parse(ResultSchema, result))}\n`);
  }

  /** @param names which things the run is about; all that are kept unless given */
  summarise(ended: boolean, names: ReadonlySet<string> | undefined, more?: Record<string, unknown>): Summary {
    const lines = [...this.#results.values()].filter(({ result }) => names?.has(result.name) ?? true);
    const { run, kernel, options } = this.#header;
    const bad = lines.filter(({ result }) => !result.good);
    const summary: Summary = {
      run,
      kernel,
      options,
      commits: counted(lines.map(({ commit }) => commit)),
      ended,
      done: lines.length,
      good: lines.length - bad.length,
      outcomes: counted(lines.map(({ result }) => result.code ?? result.outcome)),
      bad: bad.map(({ result: { name, outcome, code, why } }) => ({ name, outcome, code, why })),
      more,
    };
    const path = join(this.#folder, "summary.json");
    writeFileSync(`${path}.partial`, `${JSON.stringify(v.parse(SummarySchema, summary), undefined, 1)}\n`);
    renameSync(`${path}.partial`, path);
    return summary;
  }
}

export function counted(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
