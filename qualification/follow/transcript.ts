/** Each command and what it printed, in a file: what somebody sees who does the same. */
import { execFile } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../run.ts";

export class Transcript {
  readonly file: string;
  /** In which commands of this machine are run. */
  readonly #folder: string;

  constructor(file: string, folder: string) {
    this.file = file;
    this.#folder = folder;
    writeFileSync(file, "");
  }

  heading(text: string): void {
    appendFileSync(this.file, `\n## ${text}\n\n`);
  }

  /** @param prompt whose it is */
  add(prompt: string, command: string, printed: string): void {
    appendFileSync(this.file, `${prompt} ${command}\n${printed === "" ? "" : `${printed}\n`}`);
  }

  /** Suture, on the machine where livepatches are made. @returns what it printed */
  async suture(...words: string[]): Promise<string> {
    const env = { ...process.env, SUTURE_PASSPHRASE_FILE: "passphrase" };
    const options = { cwd: this.#folder, env, encoding: "utf8", maxBuffer: 2 ** 26 } as const;
    const { stdout } = await promisify(execFile)(join(ROOT, "suture"), words, options).catch(
      (error: { stdout: string; stderr: string }) => {
        this.add("$", `suture ${words.join(" ")}`, `${error.stdout}${error.stderr}`);
        throw error;
      },
    );
    this.add("$", `suture ${words.join(" ")}`, stdout.trimEnd());
    return stdout;
  }
}
