/** A git repository that is made while a test runs: a kernel's own files, and commits that edit them. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const WHO = ["-c", "user.name=Suture", "-c", "user.email=suture@localhost", "-c", "commit.gpgsign=false"];

export class Repository {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    this.git("init", "-q", "-b", "main");
  }

  git(...words: string[]): string {
    return execFileSync("git", [...WHO, ...words], { cwd: this.folder, encoding: "latin1" });
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(join(this.folder, name)), { recursive: true });
    writeFileSync(join(this.folder, name), text, "latin1");
  }

  /** From a kernel's source, as they are. */
  copy(sourceRoot: string, names: readonly string[]): void {
    for (const name of names) this.write(name, readFileSync(join(sourceRoot, name), "latin1"));
  }

  /** @param to may name the first group, $1 */
  edit(name: string, from: RegExp, to: string): void {
    const before = readFileSync(join(this.folder, name), "latin1");
    const after = before.replace(from, (...found) => to.replace("$1", String(found[1])));
    if (after === before) throw new Error(`${name} does not have ${from}`);
    this.write(name, after);
  }

  /** @returns its id */
  commit(subject: string, body = ""): string {
    this.git("add", "-A");
    this.git("commit", "-q", "-m", `${subject}\n\n${body}`);
    return this.git("rev-parse", "HEAD").trim();
  }
}
