/** The process around the program: its streams, its signals and its exit code. */
import { runCli } from "./cli.ts";

const controller = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    // The first asks the run to clean up and end; the second does not wait for it.
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  });

// `suture kernels | head`: whoever reads has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
  env: process.env,
});
