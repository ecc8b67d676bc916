/** What became of a fix, from what became of the changes that it is made of. */
import type { Account, CveAccount, ReleaseUnit, UnitState } from "@suture/protocol";
import type { Tie, Units } from "./tie.ts";

type Judged = Pick<CveAccount, "state" | "partly" | "why" | "code" | "symbol" | "mend" | "owners" | "files">;

/** From the one that says most against a fix to the one that says least. */
const ORDER: readonly UnitState[] = ["left out", "carried", "no need", "in the kernel", "not built"];

/** @param inBase the records say that the kernel that runs has the fix already */
export function judge({ tied, units, files }: Tie, all: Units, from: Account["from"], inBase: boolean): Judged {
  const own = new Set(units);
  const touched = files.map((path) => ({
    path,
    state: stateOfFile(
      all.touching(path).filter((unit) => own.has(unit)),
      path,
    ),
  }));
  const owners = [
    ...new Set(
      units.flatMap((unit) => unit.functions.flatMap(({ object, owner }) => (owner === "" ? (all.ownerOf(object) ?? []) : owner))),
    ),
  ].sort();
  const state = ORDER.find(
    (one) => touched.some((file) => file.state === one) || (files.length === 0 && units.some((u) => u.state === one)),
  );
  if (state === undefined)
    return {
      state: inBase ? "in the kernel" : "unknown",
      partly: false,
      why: inBase ? "its record says that the release that runs has it" : unknownText(tied, from),
      owners,
      files: touched,
    };
  const leftOut = units.find((unit) => unit.state === "left out");
  const partly = state === "left out" && units.some((unit) => unit.state === "carried");
  const [reason] = leftOut?.reasons ?? [];
  return {
    state,
    partly,
    why: state === "left out" ? leftOutText(leftOut, touched, tied, partly) : (reasonOf(units, state) ?? WHY[state]),
    ...(state === "left out" && reason !== undefined
      ? { code: reason.code, ...(reason.symbol === undefined ? {} : { symbol: reason.symbol }), mend: reason.mend }
      : {}),
    owners,
    files: touched,
  };
}

const WHY: Readonly<Record<Exclude<UnitState, "left out">, string>> = {
  carried: "each change to its files that this kernel is made of is in the livepatch",
  "not built": "this kernel is made of none of its files",
  "no need": "it changes no code that runs, or only code that has run",
  "in the kernel": "the source that the kernel was built of has it already",
};

function unknownText(tied: Tie["tied"], from: Account["from"]): string {
  if (tied === "files") return "none of the files that its record names is another in the newer release: they may have other names here";
  return from === "git"
    ? "no commit of the ranges is known by it, and no record says which files it touches"
    : "no record says which files it touches";
}

type FileState = CveAccount["files"][number]["state"];

/** A file of which this kernel is not made is not built, whatever else its change does. */
function stateOfFile(units: readonly ReleaseUnit[], path: string): FileState {
  const built = units.filter((unit) => unit.files.some((file) => file.path === path && file.built));
  if (built.length === 0) return units.length === 0 ? "same" : "not built";
  return ORDER.find((state) => built.some((unit) => unit.state === state)) ?? "same";
}

function reasonOf(units: readonly ReleaseUnit[], state: UnitState): string | undefined {
  return units.find((unit) => unit.state === state)?.reasons[0]?.why;
}

function leftOutText(unit: ReleaseUnit | undefined, files: Judged["files"], tied: Tie["tied"], partly: boolean): string {
  const [reason] = unit?.reasons ?? [];
  const why =
    reason === undefined
      ? unit !== undefined && unit.leftWith.length > 0
        ? `it is left out with ${unit.leftWith.join(", ")}`
        : "it is left out"
      : `${reason.file === undefined ? "" : `${reason.file}: `}${reason.why}`;
  if (!partly) return why;
  const left = files.filter(({ state }) => state === "left out").map(({ path }) => path);
  const carried = files.filter(({ state }) => state === "carried").map(({ path }) => path);
  if (carried.length > 0) return `${why}; carried of it: ${carried.join(", ")}; not: ${left.join(", ")}`;
  return tied === "files" ? `${why}; other changes to ${left.join(", ")} are carried, and nothing says which of them are its own` : why;
}
