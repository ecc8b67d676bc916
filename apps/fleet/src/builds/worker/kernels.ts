/** What this builder can build for, as `suture kernels --json` prints it. */
import { type ArchivedKernel, kernelsDocument } from "@suture/protocol";
import * as v from "valibot";

type Kernels = v.InferOutput<typeof kernelsDocument.schema>;
type Listed = Kernels["archive"][number];

/** @returns undefined where it is no such document */
export function kernelsIn(text: string): ArchivedKernel[] | undefined {
  try {
    const checked = v.safeParse(v.looseObject({ archive: kernelsDocument.schema.entries.archive }), JSON.parse(text));
    return checked.success ? checked.output.archive.flatMap((kernel) => archivedOf(kernel) ?? []) : undefined;
  } catch {
    return undefined;
  }
}

function archivedOf(kernel: Listed): ArchivedKernel | undefined {
  const { release, version, suite } = kernel;
  if (version === undefined) return undefined;
  const why = whyNot(kernel);
  return { release, version, suite: suite ?? "", can: why === "", why };
}

function whyNot({ obstacles = [], featureset, archived, cached, source, headers, compiler }: Listed): string {
  const [obstacle] = obstacles;
  if (obstacle !== undefined) return `${obstacle} is needed for livepatching`;
  if (featureset !== undefined) return `it has the patches of ${featureset} on top of its source, which a catch-up does not do`;
  if (archived && source && headers) return "";
  if (cached !== undefined && (compiler === undefined || compiler.installed || compiler.cached.length > 0)) return "";
  if (cached !== undefined) return `${compiler?.name ?? "its compiler"} is not installed`;
  if (!archived) return "the archive does not have it any more";
  return `the archive does not have its ${source ? "headers" : "source"} any more`;
}
