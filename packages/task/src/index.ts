export { taskErrors } from "./errors.ts";
export { inParallel } from "./pool.ts";
export { type Finished, type RunOptions, run, start } from "./process.ts";
export { scratchFolder, scratchRoot } from "./scratch.ts";
export { type Reporter, type Stage, silentReporter, Task } from "./task.ts";
