/** A fix made by editing a kernel's own source: nothing of the kernel is kept in this repository. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";

export interface SourceEdit {
  file: string;
  from: RegExp;
  to: string;
}

/** Writes the edits as one patch. @returns its path */
export function writePatch(folder: string, name: string, tree: string, edits: readonly SourceEdit[]): string {
  const text = [...new Set(edits.map(({ file }) => file))].map((file) => {
    const before = readFileSync(join(tree, file), "latin1");
    let after = before;
    for (const edit of edits.filter((one) => one.file === file)) {
      const edited = after.replace(edit.from, edit.to);
      if (edited === after) throw new Error(`${file} does not have ${edit.from}`);
      after = edited;
    }
    return createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after);
  });
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.patch`);
  writeFileSync(path, text.join(""), "latin1");
  return path;
}
