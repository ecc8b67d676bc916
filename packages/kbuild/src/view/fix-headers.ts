/** The headers that the source of a fix may include without being in the kernel: those of kpatch and klp-build, as Suture has them. */
import { shellWord } from "@suture/files";
import { fixHeaderFolder } from "@suture/livepatch";

const INCLUDE = /^[ \t]*#[ \t]*include[ \t]+[<"](?:kpatch-macros|kpatch-syscall|(?:linux\/)?livepatch_helpers)\.h[>"]/m;

/** Whether one of the changed files includes them: otherwise the compiler is not told of them. */
export function needsFixHeaders(texts: Iterable<string>): boolean {
  return [...texts].some((text) => INCLUDE.test(text));
}

/** The compiler's command line with their folder, which goes before the kernel's: a newer one has a header of such a name. */
export function withFixHeaders(line: string): string {
  return line.replace(/ (?=-I)/, () => ` -I${shellWord(fixHeaderFolder())} `);
}
