/** Programs that guests run, compiled by the machine's own gcc to need nothing besides. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @param text C. @throws where it does not compile */
export function staticProgram(text: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "suture-program-"));
  try {
    const [source, out] = [join(folder, "program.c"), join(folder, "program")];
    writeFileSync(source, text);
    execFileSync("gcc", ["-O1", "-static", "-o", out, source]);
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
