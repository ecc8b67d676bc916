/** Parts of the kernel's own command lines, replaced for what is compiled here. */
import { fail } from "../errors.ts";

/**
 * The last place of `part` in a command line becomes `by`. A part that is not there would leave the line as the kernel's build has it, which writes
 * into the tree.
 * @throws BUILD_KBUILD
 */
export function replaced(line: string, part: string, by: string, object: string): string {
  const at = line.lastIndexOf(part);
  if (at < 0) throw fail("BUILD_KBUILD", `the command that compiles it does not have "${part.trim()}"`, { file: object });
  return line.slice(0, at) + by + line.slice(at + part.length);
}
