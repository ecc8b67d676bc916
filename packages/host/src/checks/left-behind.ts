/** What a livepatch leaves behind when its module is taken out: addresses in it that its code gave to others, who may keep them. */
import type { Manifest } from "@suture/protocol";
import type { LoadRecord } from "../store/records.ts";

const SHOWN = 5;

export interface LeftBehind {
  /** Functions and variables, in words: they are given away to be kept, or others may be in them for as long as they like. Undefined if there are none. */
  kept: string | undefined;
  /** Strings, in words: most are only read and forgotten. */
  strings: string | undefined;
  /** Why it is not known, in words, where it should be. */
  unknown: string | undefined;
}

/** Nothing for one that was not loaded by Suture: it does not say. */
export function leftBehind({ module, damage }: LoadRecord): LeftBehind {
  const { handed: escaping = [], redirects = [] } = module?.manifest ?? {};
  const strings = escaping.filter(({ kind }) => kind === "string");
  return {
    kept:
      [redirectsText(redirects), escapingText(escaping.filter(({ kind }) => kind !== "string"))]
        .filter((one) => one !== undefined)
        .join("; ") || undefined,
    strings: escapingText(strings),
    unknown: module === undefined ? damage : undefined,
  };
}

export const STRINGS_WARNING = "whoever keeps one of these strings has a pointer to freed memory when the module is gone";

/** The livepatch core does not look for who is in a function that a probe led to. */
function redirectsText(redirects: NonNullable<Manifest["redirects"]>): string | undefined {
  if (redirects.length === 0) return undefined;
  const names = redirects.map((one) => one.function);
  const shown = [...names.slice(0, SHOWN), ...(names.length > SHOWN ? [`${names.length - SHOWN} more`] : [])].join(", ");
  return `a probe has led calls of ${shown} into it, and nobody can say when the last has left, so that its module stays until the next boot`;
}

function escapingText(escaping: NonNullable<Manifest["handed"]>): string | undefined {
  if (escaping.length === 0) return undefined;
  const each = escaping.map(
    ({ function: by, kind, name }) => `${by} gives away ${kind === "string" ? JSON.stringify(name) : `the ${kind} ${name}`}`,
  );
  return [...each.slice(0, SHOWN), ...(each.length > SHOWN ? [`and ${each.length - SHOWN} more`] : [])].join("; ");
}
