/** The process around the program: its streams, its signals and its exit code. */
import { runCli } from "./cli.ts";

/** What was asked is done, but not all that was to be said of it could be written. */
const WORDS_LOST = 4;

const controller = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    // The first asks the run to clean up and end; the second does not wait for it.
    if (controller.signal.aborted) {
      process.stderr.write(
        "ended before it had cleaned up; where livepatches were to be changed, `suture status` shows what is under way\n",
      );
      process.exit(130);
    }
    controller.abort();
  });

let lost = false;
// `suture kernels | head`: whoever reads has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  if (!lost) process.stderr.write(`what was to be printed is lost: ${error.message}\n`);
  wordsLost();
  // What prints again and again would not end. All others print when their work is done.
  controller.abort();
});
// Work does not end in the middle because nobody can be told of it.
process.stderr.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") wordsLost();
});

function wordsLost(): void {
  lost = true;
  // What is printed last is known to be lost only after the run.
  if (process.exitCode === 0) process.exitCode = WORDS_LOST;
}

runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
  env: process.env,
}).then((code) => {
  process.exitCode = code === 0 && lost ? WORDS_LOST : code;
});
