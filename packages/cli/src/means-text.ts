/** What a livepatch does besides replacing functions by those of their name, for people. */
import type { Manifest } from "@suture/protocol";
import { tableText } from "./text.ts";

export function liveText(live: NonNullable<Manifest["live"]>): string {
  return tableText(
    ["variable", "at", "in", "from", "to", "and"],
    live.map(({ variable, at, owner, was, becomes, holds, readOnly }) => [
      variable,
      `0x${at.toString(16)}`,
      owner,
      was,
      becomes,
      [...(holds ? ["the module stays in memory"] : []), ...(readOnly ? ["it is read-only there"] : [])].join("; "),
    ]),
  );
}

export function redirectsText(redirects: NonNullable<Manifest["redirects"]>): string {
  return tableText(
    ["function", "in", "size", "why"],
    redirects.map(({ function: name, owner, sizeBefore, size, why }) => [name, owner, `${sizeBefore} → ${size}`, why]),
  );
}

export function successorsText(successors: NonNullable<Manifest["successors"]>): string {
  return tableText(
    ["function", "by", "of", "in", "at"],
    successors.map(({ function: old, becomes, owner, variable, at }) => [old, becomes, owner, variable, `0x${at.toString(16)}`]),
  );
}

export function membersText(members: NonNullable<Manifest["members"]>): string {
  const places = (sites: (typeof members)[number]["sites"], ...kinds: string[]): string =>
    [...new Set(sites.filter(({ what }) => kinds.includes(what)).map(({ file, line }) => `${file}:${line}`))].join(" ");
  return tableText(
    ["member", "declared as", "used at", "begins at", "ends at"],
    members.map(({ type, name, declaration, sites }) => [
      `${type}.${name}`,
      declaration,
      places(sites, "read", "written"),
      places(sites, "begins"),
      places(sites, "ends"),
    ]),
  );
}

export function holesText(holes: NonNullable<Manifest["holes"]>): string {
  return tableText(
    ["member", "declared as", "objects begin, cleared, at"],
    holes.map(({ type, name, declaration, begins }) => [
      `${type}.${name}`,
      declaration,
      begins.map(({ file, line }) => `${file}:${line}`).join(" "),
    ]),
  );
}

export function stackTypesText(types: NonNullable<Manifest["stackTypes"]>): string {
  return tableText(
    ["structure", "of", "how", "known to"],
    types.map(({ type, owner, why, functions }) => [type, owner, why, functions.join(", ")]),
  );
}
