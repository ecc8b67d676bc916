/** Scripts that complete the words of suture, one for each shell, made of the program's own definitions. */
import { bashScript } from "./completion-bash.ts";
import { fishScript } from "./completion-fish.ts";
import { zshScript } from "./completion-zsh.ts";
import type { ProgramOutline } from "./outline.ts";

export type Shell = "bash" | "zsh" | "fish";

export const SHELLS: readonly Shell[] = ["bash", "zsh", "fish"];

const SCRIPTS: Readonly<Record<Shell, (program: ProgramOutline) => string>> = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Where each shell looks for them, and under which name. */
export const COMPLETION_FILES: Readonly<Record<Shell, string>> = { bash: "suture", zsh: "_suture", fish: "suture.fish" };

export function completionScript(shell: Shell, program: ProgramOutline): string {
  return SCRIPTS[shell](program);
}
