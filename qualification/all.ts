/** All runs, one after the other, each in a process of its own: what happens to one is nothing to the others. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { absentOf, installing } from "./needs.ts";
import { Options } from "./options.ts";
import { RUNS } from "./runs.ts";

const WORDS = { corpus: { value: "DIR", what: "the folder of real fixes, for the runs that take one" } };
const SAID: Record<number, string> = { 0: "passed", 1: "FAILED", 2: "could not begin", 130: "stopped" };

/** @returns the exit code: 0 if every run ended and all was good */
export async function all(args: readonly string[]): Promise<number> {
  const options = Options.of({ words: WORDS }, args);
  const only = new RegExp(options.text("only") ?? "");
  const corpus = options.text("corpus");
  const said: string[] = [];
  let worst = 0;
  const runs = RUNS.filter((run) => only.test(run.name));
  const absent = runs.flatMap(({ needs }) => absentOf(needs));
  const lacks = absent.length === 0 ? "" : `for those that cannot begin: ${installing(absent)}`;
  if (lacks !== "") console.log(lacks);
  for (const { name, words } of runs) {
    console.log(`\n== ${name}`);
    const started = performance.now();
    const more = [
      ...(options.flag("short") ? ["--short"] : []),
      ...(corpus !== undefined && "corpus" in words ? ["--corpus", corpus] : []),
    ];
    const code = await perform([name, ...more]);
    worst = Math.max(worst, code);
    said.push(
      `${name.padEnd(12)} ${(SAID[code] ?? `ended with ${code}`).padEnd(16)} ${Math.round((performance.now() - started) / 1000)} s`,
    );
    if (code === 130) break;
  }
  console.log(`\n${[...said, ...(lacks === "" ? [] : [lacks])].join("\n")}`);
  return worst;
}

/** A signal from the terminal reaches both; the other one ends in order, and says so. */
function perform(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, "main.ts"), ...args], { stdio: "inherit" });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on("SIGTERM", forward).on("SIGINT", forward);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      process.off("SIGTERM", forward).off("SIGINT", forward);
      resolve(code ?? 130);
    });
  });
}
