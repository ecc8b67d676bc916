/** Long runs that show what Suture promises. `npm run qualify -- edits [OPTIONS]`; docs/qualification.md. */
import { edits } from "./edits/edits.ts";

const RUNS: Record<string, (args: readonly string[]) => Promise<number>> = { edits };

const [name = "", ...args] = process.argv.slice(2);
const run = RUNS[name];
if (run === undefined) {
  console.error(`usage: npm run qualify -- ${Object.keys(RUNS).join("|")} [OPTIONS]`);
  process.exit(2);
}
process.exitCode = await run(args);
