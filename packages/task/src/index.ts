export { taskErrors } from "./errors.ts";
export { type Finished, type RunOptions, run, start } from "./process.ts";
export { type Reporter, silentReporter, type Stage, Task } from "./task.ts";
