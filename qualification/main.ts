/** Long runs that show what Suture promises: `npm run qualify -- RUN [options]`; docs/qualification.md. */
import { SutureError } from "@suture/errors";
import { all } from "./all.ts";
import { lackOf } from "./needs.ts";
import { helpOf, Options, WrongUse } from "./options.ts";
import { type Run, RunContext } from "./run.ts";
import { RUNS } from "./runs.ts";

/** Exit codes: all is good; something is not, or things are left to do; it could not begin; it was stopped. */
const CODE = { good: 0, bad: 1, unable: 2, stopped: 130 } as const;

async function perform(run: Run, args: readonly string[]): Promise<number> {
  const options = Options.of(run, args);
  if (options.flag("help")) {
    console.log(helpOf(run));
    return CODE.good;
  }
  const lacks = lackOf(run);
  if (lacks !== undefined) throw new WrongUse(lacks);
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => controller.abort());
  const context = new RunContext(controller.signal, options);
  let ended = false;
  try {
    await context.open(run);
    console.log(`${run.name}: results in ${context.folder}`);
    await run.run(context);
    ended = !context.left;
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    console.error(`${run.name}: stopped; the same command goes on`);
  } finally {
    context.close();
  }
  const { done, good, bad, outcomes, more } = context.kept.summarise(ended, context.names, context.more);
  if (more !== undefined) console.log(JSON.stringify(more, undefined, 1));
  for (const { name, outcome, code, why } of bad) console.log(`NOT OK\t${name}\t${code ?? outcome}\t${why ?? ""}`);
  console.log(
    `${run.name}: ${good} of ${done} good; ${Object.entries(outcomes)
      .map(([word, n]) => `${n} ${word}`)
      .join(", ")}`,
  );
  if (controller.signal.aborted) return CODE.stopped;
  return ended && done > 0 && bad.length === 0 ? CODE.good : CODE.bad;
}

async function main([name = "", ...args]: readonly string[]): Promise<number> {
  if (name === "" || name === "--help") {
    console.log("npm run qualify -- RUN [options]; -- RUN --help has the options\n");
    for (const { name, what } of RUNS) console.log(`  ${name.padEnd(12)} ${what}`);
    console.log(`  ${"all".padEnd(12)} all of them one after the other, by --short in their short forms`);
    return name === "" ? CODE.unable : CODE.good;
  }
  if (name === "all") return all(args);
  const run = RUNS.find((one) => one.name === name);
  if (run === undefined) throw new WrongUse(`there is no run ${name}; there are ${RUNS.map((one) => one.name).join(", ")}, all`);
  return perform(run, args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof WrongUse) && !(error instanceof SutureError)) throw error;
  console.error(`qualify: ${error instanceof SutureError ? `${error.code}: ` : ""}${error.message}`);
  process.exitCode = CODE.unable;
}
