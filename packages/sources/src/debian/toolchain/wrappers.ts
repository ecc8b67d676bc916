/**
 * Programs of packages that are unpacked into a folder, run by the loader and with the libraries of that folder: a newer program than the
 * machine's libraries would run, with nothing installed. A file of shell stands for each.
 */

/** How programs are run: what the loader is, and where libraries are. */
export interface Loader {
  path: string;
  libraries: readonly string[];
}

/** Of the user's environment what would lead the loader or the compiler to files of other systems. */
const CLEAN = "unset LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GCC_EXEC_PREFIX COMPILER_PATH";

/** The loader's words. Without --inhibit-cache it would find the machine's libraries for those that are missing. */
export function loaderWords({ path, libraries }: Loader): string[] {
  return [path, "--inhibit-cache", "--library-path", libraries.join(":")];
}

function script(words: readonly string[]): string {
  return `#!/bin/sh\n${CLEAN}\nexec ${words.join(" ")} "$@"\n`;
}

/** @param program its path. The loader calls it by that: gcc finds what it runs from there. */
export function programWrapper(loader: Loader, program: string): string {
  return script([...loaderWords(loader), program]);
}

/**
 * The compiler's words: it runs the compiler proper and the assembler by itself, by the loader, too.
 * @param tools the folder with `as`
 */
export function compilerWords(loader: Loader, program: string, tools: string): string[] {
  return [...loaderWords(loader), program, "-wrapper", loaderWords(loader).join(","), `-B${tools}/`];
}

export function compilerWrapper(loader: Loader, program: string, tools: string): string {
  return script(compilerWords(loader, program, tools));
}

/** What the real program of one that has a wrapper in its place is called. */
export const REAL = ".elf";

/**
 * A program that lies beside its wrapper, in a tree that is seen from several places. It is told the wrapper's name: some stand for several, and
 * run one of NAME.real-*.
 */
export function besideWrapper(loader: Loader): string {
  const [path = "", ...words] = loaderWords(loader);
  return script([path, "--argv0", `"$0"`, ...words, `"$0${REAL}"`]);
}
