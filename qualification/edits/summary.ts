/** What came out, by kind. */
import type { Class } from "./judge.ts";
import type { EditResult as Result } from "./results.ts";

interface KindSummary {
  verdict: string;
  edits: number;
  built: number;
  nothing: number;
  /** Code → how many. */
  refused: Record<string, number>;
  wrong: number;
  falseRefusals: number;
  crashed: number;
  /** No edits in the end. */
  noEffect: number;
  doesNotCompile: number;
}

export interface Summary {
  release: string;
  /** Those that are counted: they compile, and have an effect. */
  edits: number;
  files: number;
  classes: Partial<Record<Class, number>>;
  tried: Record<string, number>;
  kinds: Record<string, KindSummary>;
  wrong: Pick<Result, "id" | "what" | "wrongs" | "code">[];
  falseRefusals: Pick<Result, "id" | "what" | "code" | "why">[];
  wrongRefusals: Pick<Result, "id" | "what" | "code" | "why">[];
  crashes: Pick<Result, "id" | "why">[];
  failedTrials: Pick<Result, "id" | "what" | "tried" | "triedWhy">[];
}

export const isEdit = ({ class: outcome }: Result): boolean => outcome !== "does-not-compile" && outcome !== "no-effect";

export function summarise(release: string, results: readonly Result[]): Summary {
  const edits = results.filter(isEdit);
  const kinds: Summary["kinds"] = {};
  const classes: Summary["classes"] = {};
  const tried: Summary["tried"] = {};
  for (const result of results) {
    kinds[result.kind] ??= {
      verdict: result.verdict,
      edits: 0,
      built: 0,
      nothing: 0,
      refused: {},
      wrong: 0,
      falseRefusals: 0,
      crashed: 0,
      noEffect: 0,
      doesNotCompile: 0,
    };
    count(kinds[result.kind] as KindSummary, result);
    classes[result.class] = (classes[result.class] ?? 0) + 1;
    if (result.tried !== undefined) tried[result.tried] = (tried[result.tried] ?? 0) + 1;
  }
  const of = (outcome: Class): Result[] => edits.filter((result) => result.class === outcome);
  const refusals = (outcome: Class): Summary["falseRefusals"] =>
    of(outcome).map(({ id, what, code, why }) => ({ id, what, ...(code && { code }), ...(why && { why }) }));
  return {
    release,
    edits: edits.length,
    files: new Set(edits.map(({ path }) => path)).size,
    classes,
    tried,
    kinds,
    wrong: of("wrong-module").map(({ id, what, wrongs, code }) => ({ id, what, ...(wrongs && { wrongs }), ...(code && { code }) })),
    falseRefusals: refusals("false-refusal"),
    wrongRefusals: refusals("wrong-refusal"),
    crashes: of("crash").map(({ id, why }) => ({ id, ...(why && { why }) })),
    failedTrials: edits
      .filter((result) => result.tried !== undefined && result.tried !== "passed")
      .map(({ id, what, tried, triedWhy }) => ({ id, what, ...(tried && { tried }), ...(triedWhy && { triedWhy }) })),
  };
}

function count(kind: KindSummary, result: Result): void {
  if (result.class === "does-not-compile") kind.doesNotCompile++;
  else if (result.class === "no-effect") kind.noEffect++;
  if (!isEdit(result)) return;
  kind.edits++;
  if (result.class === "wrong-module") kind.wrong++;
  else if (result.class === "false-refusal") kind.falseRefusals++;
  else if (result.class === "crash") kind.crashed++;
  else if (result.class === "right-built") kind.built++;
  else if (result.class === "right-nothing") kind.nothing++;
  if (result.code !== undefined) kind.refused[result.code] = (kind.refused[result.code] ?? 0) + 1;
}
