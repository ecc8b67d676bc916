/** The C that every livepatch module starts with, and the headers that sources may include. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export function entrySource(): string {
  return readFileSync(join(folderC(), "entry.c"), "utf8");
}

/** What changes words of the kernel's variables where they stand; it includes suture_live_lists.h. */
export function liveSource(): string {
  return readFileSync(join(folderC(), "live.c"), "utf8");
}

/** What holds new members beside the objects of their structures; it includes suture_members_list.h. */
export function membersSource(): string {
  return readFileSync(join(folderC(), "members.c"), "utf8");
}

/** What redirects functions by probes; it includes suture_redirect_lists.h. */
export function redirectSource(): string {
  return readFileSync(join(folderC(), "redirect.c"), "utf8");
}

/** What lets modules go and come again; it includes suture_again_list.h. */
export function againSource(): string {
  return readFileSync(join(folderC(), "again.c"), "utf8");
}

/** <suture.h> and others. */
export function headerFolder(): string {
  return join(folderC(), "include");
}

/** <kpatch-macros.h> and others, which the source of a fix may include. */
export function fixHeaderFolder(): string {
  return join(folderC(), "kpatch");
}

/** c/ stands beside the one file of the bundle, and beside src/ in a checkout. */
function folderC(): string {
  const bundled = join(import.meta.dirname, "c");
  return existsSync(bundled) ? bundled : join(import.meta.dirname, "../c");
}
