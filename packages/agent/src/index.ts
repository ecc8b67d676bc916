export { readConfiguration } from "./configuration.ts";
export { agentErrors } from "./errors.ts";
export { runProbes } from "./probes.ts";
export { agentStatus } from "./report/report.ts";
export { retry } from "./retry.ts";
export { apply, isFine } from "./run/apply.ts";
export { fetchNews } from "./run/fetch.ts";
export { fetchAsUser } from "./run/unprivileged.ts";
